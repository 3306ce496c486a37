"""The hot way through a relay: from a bus in memory to the lanes of those who asked for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from trio.testing import MockClock

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.settings import BusSettings
from backends.links.memory import MemoryNetwork
from proto.envelopes import Kind, encode
from proto.headers import Interest, RoomHeader, decode_room, encode_header
from proto.heat import hot_key, shard_of_pool
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from proto.topics import Topic
from relay.hot.consumer import AGAIN_S, LINGER_S
from relay.hot.metrics import HotCollector
from relay.relay import Relay
from relay.settings import Settings
from relay.status import lane_depths, status
from tests.relay.test_relay import ADDRESS, ME, Node

POOL = "pool-1"
ELSEWHERE = next(f"pool-{n}" for n in range(9) if shard_of_pool(f"pool-{n}") != shard_of_pool(POOL))
URGENT, NORMAL, BULK = Priority


def record(seq: int, room: str = "lobby", pool: str = POOL, body: bytes = b"", **fields) -> Record:
    header = RecordHeader(
        f"{room}/{seq}", "room", 7, "t", room, epoch="e1", seq=seq, pool=pool, fence=1
    )
    header = type(header)(**{f: getattr(header, f) for f in header.__struct_fields__} | fields)
    return Record(header, body or b"%d" % seq)


class World:
    """A relay with a bus, and logic's end of that bus."""

    def __init__(self, network: MemoryNetwork, broker: MemoryBroker, nursery: trio.Nursery) -> None:
        self.network, self.broker = network, broker
        settings = BusSettings(kind="memory", in_flight=2)
        self.bus = MemoryBus(settings, broker, nursery)
        self.logic = MemoryBus(settings, broker, nursery)
        own = Settings(listen=ADDRESS, peer_lane_bytes=2 << 20, silence_s=600)
        self.relay = Relay(own, ME, network)
        self.relay.carry_hot(self.bus)
        nursery.start_soon(self.relay.run)

    async def access(self, name: str, *keys: str) -> Node:
        node = Node(name, "access", "a")
        await node.connect(self.network)
        await node.until(lambda: len(node.got) == 3)
        await self.step(node, Interest(1, True, list(keys), []))
        return node

    async def step(self, node: Node, step: Interest) -> None:
        got = len(node.read())
        node.send(1, encode(Kind.INTEREST, NORMAL, header=encode_header(step)))
        await node.until(lambda: len(node.got) > got)

    async def listening(self, count: int = 3) -> None:
        assert self.relay.hot is not None
        with trio.fail_after(5):
            while len(self.relay.hot.topics) != count:
                await trio.sleep(0.01)

    async def publish(self, priority: Priority, *records: Record) -> None:
        for each in records:
            await self.logic.publish(Topic.hot(priority, each.header.pool), [each])

    @property
    def groups(self) -> int:
        return sum(len(topic.groups) for topic in self.broker.topics.values())

    def figures(self) -> str:
        registry = CollectorRegistry()
        forwarding = self.relay.forwarding
        registry.register(HotCollector(forwarding.table.hot, forwarding.hot, self.relay.hot))
        return generate_latest(registry).decode()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        yield World(MemoryNetwork(), MemoryBroker(), nursery)
        nursery.cancel_scope.cancel()


async def test_each_interested_node_gets_one_copy_in_order_on_the_messages_lane(
    world: World, autojump_clock: MockClock
) -> None:
    nodes = [await world.access(f"access-{n}", hot_key(POOL, "lobby")) for n in (1, 2)]
    other = await world.access("access-3", hot_key(POOL, "attic"), "lobby")
    await world.listening()
    for priority in Priority:
        await world.publish(priority, *(record(seq) for seq in range(1, 21)))
    await world.publish(NORMAL, record(1, "attic"), record(1, "nobody's"))
    for node in nodes:
        await node.until(lambda node=node: len(node.bodies()) == 60)
        for priority in Priority:
            came = [e for e in node.got if e.kind == Kind.ROOM and e.priority == priority]
            assert [decode_room(e.header).seq for e in came] == list(range(1, 21))
            assert {e.key for e in came} == {b"lobby"}
    assert decode_room(nodes[0].got[-1].header) == RoomHeader("e1", 20, 7, "t")
    await other.until(lambda: other.bodies() == [b"1"])
    figures = world.figures()
    for line in (
        'relaymesh_relay_hot_records_total{priority="normal"} 22.0',
        'relaymesh_relay_hot_forwarded_total{priority="normal"} 21.0',
        'relaymesh_relay_hot_copies_total{priority="normal"} 41.0',
        'relaymesh_relay_hot_copies_total{priority="bulk"} 40.0',
        "relaymesh_relay_hot_enabled 1.0",
        "relaymesh_relay_hot_keys 2.0",
        "relaymesh_relay_hot_topics_wanted 3.0",
        "relaymesh_relay_hot_subscriptions 3.0",
    ):
        assert line in figures


async def test_only_the_shards_of_wanted_pools_are_listened_to_and_for_a_while_longer(
    world: World, autojump_clock: MockClock
) -> None:
    node = await world.access("access-1", "lobby")
    await trio.sleep(1)
    assert (world.groups, status(world.relay)["hot"]["topics"]) == (0, [])
    await world.step(node, Interest(2, False, [hot_key(POOL, "lobby")], []))
    await world.listening()
    shard = shard_of_pool(POOL)
    topics = sorted(f"hot-{p.label}-{shard}" for p in Priority)
    assert status(world.relay)["hot"]["topics"] == topics
    await world.step(node, Interest(3, False, [hot_key(ELSEWHERE, "lobby")], []))
    await world.listening(6)
    await world.step(node, Interest(4, False, [], [hot_key(POOL, "lobby")]))
    await trio.sleep(LINGER_S - 1)
    assert len(status(world.relay)["hot"]["topics"]) == 6
    await world.listening(3)
    await world.step(node, Interest(5, False, [], [hot_key(ELSEWHERE, "lobby")]))
    await trio.sleep(LINGER_S + 0.1)
    assert world.groups == 0, "and nothing is left at the broker"


async def test_one_that_comes_back_in_time_finds_the_topic_as_it_was(
    world: World, autojump_clock: MockClock
) -> None:
    node = await world.access("access-1", hot_key(POOL, "lobby"))
    await world.listening()
    groups = [set(topic.groups) for topic in world.broker.topics.values()]
    await world.step(node, Interest(2, False, [], [hot_key(POOL, "lobby")]))
    await trio.sleep(LINGER_S / 2)
    await world.step(node, Interest(3, False, [hot_key(POOL, "lobby")], []))
    await trio.sleep(LINGER_S * 2)
    assert [set(topic.groups) for topic in world.broker.topics.values()] == groups


async def test_while_those_who_want_it_are_behind_the_rest_stays_with_the_bus(
    world: World, autojump_clock: MockClock
) -> None:
    slow = await world.access("access-1", hot_key(POOL, "lobby"))
    idle = [await world.access(f"access-{n}", "lobby") for n in (2, 3, 4)]
    await world.listening()
    slow.reading = False
    body = bytes(60_000)
    await world.publish(NORMAL, *(record(seq, body=body) for seq in range(1, 61)))
    await trio.sleep(0.1)
    # Idle nodes are many; the relay is behind all the same, since they want nothing of this.
    topic = world.broker.topics[f"relaymesh-{Topic.hot(NORMAL, POOL)}"]
    assert len(topic.packs) > 30
    await world.publish(URGENT, record(1))
    await trio.sleep(0.05)
    assert lane_depths(world.relay)["urgent"] + len(slow.bodies()) <= 1
    slow.reading = True
    await slow.until(lambda: len(slow.bodies()) == 61)
    seqs = [decode_room(e.header).seq for e in slow.got if e.kind == Kind.ROOM and len(e.body) > 9]
    assert seqs == list(range(1, 61)), "none was lost for it"
    assert world.relay.forwarding.hot.holds[NORMAL] >= 1
    assert not any(each.bodies() for each in idle)


async def test_what_is_no_room_message_is_counted_and_harms_no_other(
    world: World, autojump_clock: MockClock
) -> None:
    node = await world.access("access-1", hot_key(POOL, "lobby"))
    await world.listening()
    await world.publish(
        URGENT, record(1, kind="users", uids=("ann",)), record(2, epoch="e" * 61_000), record(3)
    )
    await node.until(lambda: node.bodies() == [b"3"])
    assert world.relay.forwarding.hot.bad_records[URGENT] == 2


async def test_a_topic_that_can_not_be_listened_to_is_tried_again(
    world: World, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe, broken = world.bus.subscribe_broadcast, [True]

    @asynccontextmanager
    async def sometimes(topic: Topic, name: str) -> AsyncIterator[Any]:
        if broken and topic.value.startswith("hot-urgent"):
            raise RuntimeError("the client of the broker says no")
        async with subscribe(topic, name) as subscription:
            yield subscription

    monkeypatch.setattr(world.bus, "subscribe_broadcast", sometimes)
    node = await world.access("access-1", hot_key(POOL, "lobby"))
    await world.listening(2)
    assert "relaymesh_relay_hot_topics_wanted 3.0" in world.figures()
    assert "relaymesh_relay_hot_subscriptions 2.0" in world.figures()
    broken.clear()
    await trio.sleep(AGAIN_S)
    await world.listening(3)
    await world.publish(URGENT, record(1))
    await node.until(lambda: node.bodies() == [b"1"])
    assert world.relay.forwarding.hot.failures >= 1


async def test_nobody_but_the_bus_gives_for_the_hot_way(
    world: World, autojump_clock: MockClock
) -> None:
    key = hot_key(POOL, "lobby")
    node = await world.access("access-1", key)
    router = Node("router-1", "router", "a")
    await router.connect(world.network)
    await router.until(lambda: len(router.got) == 3)
    router.send(1, encode(Kind.ROOM, NORMAL, key.encode(), b"h", b"forged"))
    await trio.sleep(0.1)
    assert node.bodies() == []
    assert world.relay.drops["nobody_interested", NORMAL] == 1


async def test_keys_that_can_be_no_interest_are_refused_and_the_others_are_not(
    world: World, autojump_clock: MockClock
) -> None:
    keys = ["@", "@pool-1", "@/lobby", "x" * 300, "@pool-1/a b"]
    node = await world.access("access-1", "lobby", *keys, hot_key(POOL, "lobby"))
    await world.listening()
    assert world.relay.drops["bad_interest", NORMAL] == len(keys)
    await world.publish(NORMAL, record(1))
    await node.until(lambda: node.bodies() == [b"1"])
    assert status(world.relay)["rooms"] == 1


async def test_interest_of_those_who_may_not_have_any_is_dropped(
    world: World, autojump_clock: MockClock
) -> None:
    router = Node("router-1", "router", "a")
    await router.connect(world.network)
    await router.until(lambda: len(router.got) == 3)
    step = Interest(1, True, [hot_key(POOL, "lobby")], [])
    router.send(1, encode(Kind.INTEREST, NORMAL, header=encode_header(step)))
    await trio.sleep(0.1)
    assert world.relay.drops["forbidden", NORMAL] == 1
    assert (len(world.relay.forwarding.table.hot), world.groups) == (0, 0)


async def test_a_relay_without_a_bus_says_so(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    relay = Relay(Settings(listen=ADDRESS), ME, network)
    forwarding = relay.forwarding
    registry = CollectorRegistry()
    registry.register(HotCollector(forwarding.table.hot, forwarding.hot, relay.hot))
    assert "relaymesh_relay_hot_enabled 0.0" in generate_latest(registry).decode()
    assert status(relay)["hot"] is None
