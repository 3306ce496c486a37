"""What a relay of another region may not do, and settings that can't be meant."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock as Clock

from backends.links.memory import MemoryNetwork
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Kind, encode
from proto.errors import RequestError
from proto.headers import RequestHeader, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.services import Method
from relay.settings import Settings

from .world import Node, World, address, room_message, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(nursery, MemoryNetwork(), {"eu": 1, "us": 1, "asia": 1})
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


def stray(world: World, region: str) -> Node:
    """A relay of `region` that nobody has heard of, and that says what it likes to eu-1."""
    node = Node()
    me = NodeIdentity(node="stray-1", region=region, incarnation="s")
    settings = MeshSettings(relays=[address("eu-1")], request_timeout_s=0.5)
    node.mesh = MeshNode(me, "relay", settings, world.network, node.receive)
    world._run("stray-1", node.mesh.run)
    return node


@pytest.mark.parametrize("region", ["mars", "eu"])
async def test_a_relay_of_no_other_region_is_cut(
    world: World, autojump_clock: Clock, region: str
) -> None:
    node = stray(world, region)
    await until(lambda: world.relays["eu-1"].seating.violations["bad_hello"] > 0)
    assert not node.mesh.up
    assert world.relays["eu-1"].seating.violations.keys() == {"bad_hello"}


async def test_interest_in_rooms_of_other_regions_is_dropped_and_counted(
    world: World, autojump_clock: Clock
) -> None:
    router, relay = await world.node("eu-router", "router"), world.relays["eu-1"]
    node = stray(world, "us")
    await until(lambda: bool(node.mesh.up))
    for room in ("us-room", "@hot-1/us-room", "eu-room", "asia-room"):
        node.mesh.want(room)
    await node.mesh.confirmed("eu-room")
    assert relay.drops["forbidden_interest", Priority.NORMAL] == 3
    assert relay.forwarding.crossing.neighbours.wanted("us") == 1
    router.mesh.offer("eu-1", Priority.NORMAL, room_message("us-room", 1))
    await until(lambda: relay.drops["nobody_interested", Priority.NORMAL] == 1)


async def test_a_relay_may_bring_only_what_was_wanted_of_its_region(
    world: World, autojump_clock: Clock
) -> None:
    access = await world.node("eu-access", "access", "eu-room", "us-room", "asia-room")
    node = stray(world, "us")
    await until(lambda: bool(node.mesh.up))
    for room in ("eu-room", "asia-room", "us-room"):
        node.mesh.offer("eu-1", Priority.NORMAL, room_message(room, len(room)))
    await until(lambda: bool(access.received))
    await trio.sleep(0.5)
    assert [envelope.key for _, envelope in access.received] == [b"us-room"]


async def test_a_relay_asks_for_its_own_nodes_and_of_us_alone(
    world: World, autojump_clock: Clock
) -> None:
    asia = await world.node("asia-logic", "logic")
    logic = await world.node("eu-logic", "logic")
    node, relay = stray(world, "us"), world.relays["eu-1"]
    await until(lambda: bool(node.mesh.up))
    header = encode_header(RequestHeader(1, "us-access", "a", "heads", 1000))
    for key in (b"logic@asia", b"logic"):
        node.mesh.offer("eu-1", Priority.NORMAL, encode(Kind.REQUEST, Priority.NORMAL, key, header))
    await until(lambda: bool(logic.received))
    assert relay.drops["forbidden", Priority.NORMAL] == 1
    assert not asia.received


async def test_more_requests_than_a_relay_may_have_are_overloaded(
    world: World, autojump_clock: Clock
) -> None:
    access = await world.node("us-access", "access")
    await world.node("eu-logic", "logic")
    relay = world.relays["us-1"]
    relay.forwarding.crossing._asked["eu"].limit = 4
    codes: list[str] = []

    async def ask() -> None:
        with pytest.raises(RequestError) as caught:
            await access.mesh.request(Method.PUBLISH, Priority.NORMAL, home="eu")
        codes.append(caught.value.body.code)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert sorted(codes) == ["overloaded"] * 2 + ["timeout"] * 3


REGIONS = {"names": ["eu", "us"], "im": "eu"}
US = {"region": "us", "relays": ["tcp://127.0.0.1:1"]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"links": [US, US]}, "links: region 'us' is there twice"),
        ({"links": [{**US, "region": "mars"}]}, "links: region 'mars' is none of regions.names"),
        ({"links": [{**US, "relays": ["nonsense"]}]}, "links: region 'us': 'nonsense' is neither"),
        ({"links": [{**US, "relays": []}]}, "Expected `array` of length >= 1"),
        ({"links": [{**US, "relay": "x"}]}, "unknown field `relay`"),
        ({"regions": {**REGIONS, "names": ["eu", "eu"]}}, "region 'eu' is there twice"),
    ],
    ids=["twice", "unknown", "address", "none", "key", "names"],
)
def test_links_that_can_not_be_meant_are_refused_by_name(data: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said.replace("(", r"\(")):
        msgspec.convert({"regions": REGIONS, **data}, Settings)
