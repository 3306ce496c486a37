"""The hot way over the buses that clusters use, and over one that is not there."""

import uuid

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest

from backends.bus.connect import open_bus
from backends.bus.settings import BusSettings
from backends.links.memory import MemoryNetwork
from proto.envelopes import Kind, encode
from proto.headers import Interest, decode_confirm, decode_room, encode_header
from proto.heat import hot_key
from proto.priorities import Priority
from proto.topics import Topic
from relay.hot.metrics import HotCollector
from relay.relay import Relay
from relay.settings import Settings
from tests.backends.bus.conftest import ROCKETMQ_ADDRESS
from tests.relay.hot.test_hot_way import POOL, record
from tests.relay.test_relay import ADDRESS, ME, Node

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(params=["redis", pytest.param("rocketmq", marks=pytest.mark.rocketmq)])
def settings(request: pytest.FixtureRequest) -> BusSettings:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    if request.param == "rocketmq":
        return BusSettings(kind="rocketmq", url=ROCKETMQ_ADDRESS, prefix=prefix, partitions=2)
    return BusSettings(kind="redis", url=request.getfixturevalue("shared_redis").url, prefix=prefix)


async def asking(network: MemoryNetwork) -> Node:
    node = Node("access-1", "access", "a")
    await node.connect(network)
    await node.until(lambda: len(node.got) == len(Priority))
    step = encode_header(Interest(1, True, [hot_key(POOL, "lobby")], []))
    node.send(1, encode(Kind.INTEREST, Priority.NORMAL, header=step))
    await node.until(lambda: any(each.kind == Kind.CONFIRM for each in node.got))
    return node


async def until_listening(relay: Relay, topics: int) -> None:
    with trio.fail_after(30):
        while relay.hot is None or len(relay.hot.topics) != topics:
            await trio.sleep(0.01)


async def test_a_room_comes_in_order_and_once(settings: BusSettings, nursery: trio.Nursery) -> None:
    network = MemoryNetwork()
    relay = Relay(Settings(listen=ADDRESS, silence_s=600), ME, network)
    async with open_bus(settings) as bus, open_bus(settings) as logic:
        relay.carry_hot(bus)
        nursery.start_soon(relay.run)
        node = await asking(network)
        await until_listening(relay, len(Priority))
        for priority in Priority:
            for first in range(1, 40, 10):
                records = [record(seq) for seq in range(first, first + 10)]
                await logic.publish(Topic.hot(priority, POOL), records)
        await node.until(lambda: len(node.bodies()) == 3 * 40, 30)
        for priority in Priority:
            came = [e for e in node.got if e.kind == Kind.ROOM and e.priority == priority]
            assert [decode_room(each.header).seq for each in came] == list(range(1, 41))
        nursery.cancel_scope.cancel()


async def test_a_bus_that_is_away_hinders_nothing_else_and_is_seen(nursery: trio.Nursery) -> None:
    network = MemoryNetwork()
    relay = Relay(Settings(listen=ADDRESS, silence_s=600), ME, network)
    async with open_bus(BusSettings(kind="redis", url=NOWHERE)) as bus:
        relay.carry_hot(bus)
        nursery.start_soon(relay.run)
        node = await asking(network)
        confirms = [decode_confirm(e.header) for e in node.got if e.kind == Kind.CONFIRM]
        assert [(each.generation, each.stale) for each in confirms] == [(1, False)]
        registry = CollectorRegistry()
        crossing, forwarding = relay.forwarding.crossing, relay.forwarding
        registry.register(HotCollector(crossing.hot, forwarding.hot, relay.hot))
        text = generate_latest(registry).decode()
        assert "relaymesh_relay_hot_topics_wanted 3.0" in text
        assert "relaymesh_relay_hot_subscriptions 0.0" in text
        nursery.cancel_scope.cancel()
