"""A hot room's messages: from the home's bus to the other regions, once to each."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock as Clock

from backends.links.memory import MemoryNetwork
from proto.heat import hot_key
from proto.priorities import Priority
from proto.topics import Topic
from tests.relay.hot.test_hot_way import POOL, record

from .world import World, until

KEY = hot_key(POOL, "eu-room")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(nursery, MemoryNetwork(), {"eu": 3, "us": 2, "asia": 1})
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


async def publish(world: World, count: int) -> None:
    bus = world.bus("eu")
    for seq in range(1, count + 1):
        each = record(seq, "eu-room")
        await bus.publish(Topic.hot(Priority.NORMAL, POOL), [each])


async def test_each_node_elsewhere_gets_one_copy_and_each_region_one(
    world: World, autojump_clock: Clock
) -> None:
    await trio.sleep(3)
    here = await world.node("eu-hot-1", "access")
    here.mesh.want_once(KEY)
    nodes = [await world.node(f"us-access-{n}", "access", "eu-room") for n in range(6)]
    for node in nodes:
        node.mesh.want_once(KEY)
    quiet = await world.node("asia-access", "access", "eu-room")
    await trio.sleep(1)
    listening = [relay.hot.topics for relay in world.of("eu") if relay.hot]
    assert 1 <= sum(map(bool, listening)) <= 2, "the relay of here's, and the one of all of us's"
    elsewhere = [relay.hot.topics for relay in world.of("us") if relay.hot]
    assert not any(elsewhere), "their own bus has nothing of it"
    before = world.crossed("eu", "us"), world.crossed("eu", "asia")
    await publish(world, 20)
    await until(lambda: all(len(node.received) >= 20 for node in (here, *nodes)))
    await trio.sleep(0.5)
    for node in (here, *nodes):
        assert node.bodies() == [b"%d" % seq for seq in range(1, 21)]
    assert world.crossed("eu", "us") - before[0] == 20
    assert (world.crossed("eu", "asia") - before[1], quiet.bodies()) == (0, [])


async def test_nobody_listens_once_nobody_elsewhere_wants_it(
    world: World, autojump_clock: Clock
) -> None:
    node = await world.node("us-access", "access", "eu-room")
    node.mesh.want_once(KEY)
    await until(lambda: any(relay.hot and relay.hot.topics for relay in world.of("eu")))
    node.mesh.unwant_once(KEY)
    await trio.sleep(10)
    assert not any(relay.hot and relay.hot.topics for relay in world.of("eu"))


async def test_when_the_relay_at_home_goes_the_next_one_sends(
    world: World, autojump_clock: Clock
) -> None:
    node = await world.node("us-access", "access", "eu-room")
    node.mesh.want_once(KEY)
    await until(lambda: any(relay.hot and relay.hot.topics for relay in world.of("eu")))
    first = next(name for name, relay in world.relays.items() if relay.hot and relay.hot.topics)
    world.kill(first)
    await until(lambda: any(relay.hot and relay.hot.topics for relay in world.of("eu")))
    await publish(world, 3)
    await until(lambda: node.bodies() == [b"1", b"2", b"3"])
