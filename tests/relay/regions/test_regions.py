"""Regions whose relays are linked: what crosses, how often, and what happens without a link."""

from collections.abc import AsyncIterator

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock as Clock

from backends.links.memory import MemoryNetwork
from proto.envelopes import Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import (
    HeadsHeader,
    SpreadHeader,
    UsersHeader,
    decode_users,
    encode_header,
)
from proto.priorities import Priority
from proto.services import Method
from proto.settings_types import RestartNeededError
from relay.regions.figures import RegionCollector
from relay.regions.settings import RegionRelays
from relay.status import status

from .world import Node, World, address, room_message, until


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(nursery, MemoryNetwork(), {"eu": 2, "us": 2, "asia": 1})
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


def publish(router: Node, room: str, seq: int) -> None:
    relay = router.mesh.carriers(room)[0]
    assert router.mesh.offer(relay, Priority.NORMAL, room_message(room, seq))


async def test_a_message_crosses_once_to_each_region_that_wants_it(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    here = await world.node("eu-access", "access", "eu-room")
    there = [await world.node(f"us-access-{n}", "access", "eu-room") for n in (1, 2)]
    nowhere = await world.node("asia-access", "access", "asia-room")
    before = world.crossed("eu", "us"), world.crossed("eu", "asia")
    for seq in range(20):
        publish(router, "eu-room", seq)
    await trio.sleep(0.5)
    for node in (here, *there):
        assert node.bodies() == [b"%d" % seq for seq in range(20)]
    assert not nowhere.received
    assert world.crossed("eu", "us") - before[0] == 20
    assert world.crossed("eu", "asia") == before[1]


async def test_what_came_from_another_region_goes_on_to_none(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    for name in ("us-access", "asia-access"):
        await world.node(name, "access", "eu-room")
    before = world.crossed("us", "asia") + world.crossed("asia", "us")
    publish(router, "eu-room", 1)
    everybody = encode(Kind.USERS, Priority.NORMAL, b"", encode_header(UsersHeader("i", [], 0)))
    router.mesh.offer("eu-1", Priority.NORMAL, everybody)
    await trio.sleep(0.5)
    assert world.crossed("us", "asia") + world.crossed("asia", "us") == before


async def test_interest_is_withdrawn_with_the_last_node_that_has_it(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    one, two = [await world.node(f"us-access-{n}", "access", "eu-room") for n in (1, 2)]
    one.mesh.unwant("eu-room")
    await trio.sleep(0.5)
    publish(router, "eu-room", 1)
    await until(lambda: two.bodies() == [b"1"])
    assert not one.bodies()
    two.mesh.unwant("eu-room")
    await trio.sleep(0.5)
    before = world.crossed("eu", "us")
    publish(router, "eu-room", 2)
    await trio.sleep(0.5)
    assert world.crossed("eu", "us") == before
    assert all(relay.region_links["eu"].interest == 0 for relay in world.of("us"))


async def test_heads_go_on_only_where_they_are_marked(world: World, autojump_clock: Clock) -> None:
    router = await world.node("eu-router", "router")
    here = await world.node("eu-access", "access", "eu-room")
    there = await world.node("us-access", "access", "eu-room")
    for relay, crosses in (("eu-1", False), ("eu-2", True)):
        header = encode_header(HeadsHeader("e", (0, 1, 0), crosses=crosses))
        envelope = encode(Kind.HEADS, Priority.NORMAL, b"eu-room", header, b"h")
        assert router.mesh.offer(relay, Priority.NORMAL, envelope)
    await trio.sleep(0.5)
    assert here.bodies(Kind.HEADS) == [b"h", b"h"]
    senders = [relay for relay, _ in there.received]
    assert sorted(senders) == ["us-1", "us-2"], "each relay there hears of it once"


async def test_pushes_cross_to_the_nodes_that_have_the_users(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    nodes = {name: await world.node(name, "access") for name in ("eu-a", "us-a", "us-b", "asia-a")}
    header = SpreadHeader(
        "id", {"eu-a": ["ann"], "us-a": ["bob"], "us-b": ["cy"]}, 0, "", {},
        {"us-a": "us", "us-b": "us"},
    )  # fmt: skip
    spread = encode(Kind.SPREAD, Priority.URGENT, b"", encode_header(header), b"hi")
    router.mesh.offer("eu-1", Priority.URGENT, spread)
    await trio.sleep(0.5)
    told = {
        name: [decode_users(envelope.header).uids for _, envelope in node.received]
        for name, node in nodes.items()
    }
    assert told == {"eu-a": [["ann"]], "us-a": [["bob"]], "us-b": [["cy"]], "asia-a": []}


@pytest.mark.parametrize("kind", [Kind.EVERYBODY, Kind.KICK])
async def test_what_is_for_everybody_crosses_once_and_goes_no_further(
    world: World, autojump_clock: Clock, kind: Kind
) -> None:
    router = await world.node("eu-router", "router")
    nodes = [await world.node(name, "access") for name in ("eu-a", "us-a", "us-b", "asia-a")]
    before = world.crossed("eu", "us")
    router.mesh.offer("eu-2", Priority.URGENT, encode(kind, Priority.URGENT, b"", b"", b"hi"))
    await trio.sleep(0.5)
    assert [node.bodies(kind) for node in nodes] == [[b"hi"]] * 4
    assert world.crossed("eu", "us") - before == 1


async def test_a_push_for_all_crosses_once_and_reaches_each_node_once(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    nodes = [await world.node(name, "access") for name in ("eu-a", "us-a", "us-b", "asia-a")]
    before = world.crossed("eu", "us")
    everybody = encode(
        Kind.USERS, Priority.URGENT, b"", encode_header(UsersHeader("i", ["ann"], 0)), b"hi"
    )
    router.mesh.offer("eu-2", Priority.URGENT, everybody)
    await trio.sleep(0.5)
    assert [node.bodies(Kind.USERS) for node in nodes] == [[b"hi"]] * 4
    assert world.crossed("eu", "us") - before == 1


async def test_a_request_is_answered_by_the_home_alone(world: World, autojump_clock: Clock) -> None:
    access = await world.node("us-access", "access")
    logics = {name: await world.node(f"{name}-logic", "logic") for name in ("eu", "us")}
    for name, logic in logics.items():
        logic.answer = lambda asked, body, name=name: f"{name} {asked.source} ".encode() + body

    async def ask(home: str) -> bytes:
        return await access.mesh.request(Method.HEADS, Priority.NORMAL, b"q", home=home)

    assert await ask("eu") == b"eu us-access q"
    assert await ask("us") == b"us us-access q"
    keys = [e.key for _, e in logics["eu"].received if e.kind == Kind.REQUEST]
    assert keys == [b"logic"]


async def refusal(access: Node, home: str) -> ErrorCode:
    with pytest.raises(RequestError) as caught:
        await access.mesh.request(Method.PUBLISH, Priority.NORMAL, home=home)
    assert caught.value.body.retry_after_ms > 0
    return caught.value.body.code


async def test_a_home_that_is_cut_off_is_unreachable_at_once_and_comes_back(
    world: World, autojump_clock: Clock
) -> None:
    access, logic = await world.node("us-access", "access"), await world.node("eu-logic", "logic")
    logic.answer = lambda asked, body: b"yes"
    world.part("us", "eu")
    await trio.sleep(0.5)
    asked_at = trio.current_time()
    assert await refusal(access, "eu") == ErrorCode.HOME_UNREACHABLE
    assert await refusal(access, "mars") == ErrorCode.HOME_UNREACHABLE
    assert trio.current_time() - asked_at < 0.1
    world.rejoin("us", "eu")
    await world.all_linked()
    assert await access.mesh.request(Method.PUBLISH, Priority.NORMAL, home="eu") == b"yes"


async def test_a_home_is_reached_by_another_relay_where_one_is_cut_off_it(
    world: World, autojump_clock: Clock
) -> None:
    access, logic = await world.node("us-access", "access"), await world.node("eu-logic", "logic")
    router = await world.node("eu-router", "router")
    access.mesh.want("eu-room")
    logic.answer = lambda asked, body: b"yes"
    world.part_relay("us-1", "eu")
    await trio.sleep(1)
    for _ in range(4):
        assert await access.mesh.request(Method.HEADS, Priority.NORMAL, home="eu") == b"yes"
    before = len(access.received)
    for seq in range(5):
        publish(router, "eu-room", seq)
    await until(lambda: len(access.received) - before == 5)
    assert {relay for relay, _ in access.received[before:]} == {"us-2"}


async def test_requests_under_way_are_answered_when_the_link_breaks(
    world: World, autojump_clock: Clock
) -> None:
    access, logic = await world.node("us-access", "access"), await world.node("eu-logic", "logic")
    codes: list[ErrorCode] = []

    async def ask() -> None:
        codes.append(await refusal(access, "eu"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await until(lambda: bool(logic.received))
        began = trio.current_time()
        world.part("us", "eu")
    assert codes == [ErrorCode.HOME_UNREACHABLE]
    assert trio.current_time() - began < 0.5


async def test_without_its_relay_a_request_under_way_may_do_better_by_another(
    world: World, autojump_clock: Clock
) -> None:
    access = await world.node("us-access", "access")
    logic = await world.node("eu-logic", "logic")
    asking: list[str] = []

    def answer_the_second(relay: str) -> None:
        asking.append(relay)

    receive = logic.receive

    def hear(relay: str, envelope: object) -> None:
        answer_the_second(relay)
        if len(asking) == 1:
            world.kill(relay)
        else:
            receive(relay, envelope)  # type: ignore[arg-type]

    logic.mesh._receive = hear  # type: ignore[assignment]
    logic.answer = lambda asked, body: b"yes"
    assert await access.mesh.request(Method.HEADS, Priority.NORMAL, home="eu") == b"yes"
    assert sorted(asking) == ["eu-1", "eu-2"]


async def test_when_a_relay_dies_another_of_its_region_gets_the_copies(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    there = await world.node("us-access", "access", "eu-room")
    publish(router, "eu-room", 1)
    await until(lambda: there.bodies() == [b"1"])
    carrier = there.received[-1][0]
    world.kill(carrier)
    await trio.sleep(0.5)
    publish(router, "eu-room", 2)
    await until(lambda: there.bodies() == [b"1", b"2"])
    assert there.received[-1][0] != carrier
    world.start_relay(carrier)
    await trio.sleep(1)
    publish(router, "eu-room", 3)
    await until(lambda: there.bodies() == [b"1", b"2", b"3"])


async def test_a_region_that_was_cut_off_heals_by_full_interest_and_without_a_flood(
    world: World, autojump_clock: Clock
) -> None:
    rooms = [f"room-{number}" for number in range(300)]
    mine = [room for room in rooms if world.regions.home_of_room(room) == "eu"]
    router = await world.node("eu-router", "router")
    there = await world.node("us-access", "access", *rooms)
    world.part("us", "eu")
    await trio.sleep(1)
    for seq in range(50):
        for room in mine:
            publish(router, room, seq)
        await trio.sleep(0.01)
    before = world.crossed("eu", "us"), world.crossed("us", "eu")
    world.rejoin("us", "eu")
    await world.all_linked()
    await trio.sleep(1)
    assert not there.bodies(), "what was missed comes by the repair, not by the link"
    assert world.crossed("eu", "us") - before[0] <= 4 * 2, "an interest step for each pair"
    assert world.crossed("us", "eu") - before[1] <= 4 * 2
    for room in mine:
        publish(router, room, 99)
    await until(lambda: len(there.bodies()) == len(mine))


async def test_what_crosses_is_seen_in_the_status_and_in_the_metrics(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    await world.node("us-access", "access", "eu-room")
    for seq in range(5):
        publish(router, "eu-room", seq)
    await trio.sleep(0.5)
    seen = [status(relay)["regions"]["us"] for relay in world.of("eu")]
    assert all(each["up_relays"] == ["us-1", "us-2"] for each in seen)
    assert [each["wanted"] for each in seen] == [2, 2]
    assert [status(relay)["regions"]["eu"]["interest"] for relay in world.of("us")] == [1, 1]
    came = [status(relay)["regions"]["eu"]["envelopes_in"]["normal"] for relay in world.of("us")]
    assert max(came) - min(came) == 5, "beside pings, the messages: all to one of the two"
    messages = [status(relay)["regions"]["eu"]["room_messages"] for relay in world.of("us")]
    assert sorted(each["normal"] for each in messages) == [0, 5]
    relay = world.relays["us-1"]
    samples = {
        (sample.name, sample.labels["region"])
        for family in RegionCollector(
            relay.region_links, relay.forwarding.crossing, relay.arrivals
        ).collect()
        for sample in family.samples
    }
    for name in ("up", "interest", "wanted", "requests", "lane_depth"):
        assert (f"relaymesh_relay_region_{name}", "eu") in samples


async def test_relays_of_other_regions_change_without_a_restart(
    world: World, autojump_clock: Clock
) -> None:
    router = await world.node("eu-router", "router")
    there = await world.node("us-access", "access", "eu-room")
    for relay in world.of("eu"):
        asia, us = (
            RegionRelays(region=region, relays=tuple(map(address, world.names(region)[:1])))
            for region in ("asia", "us")
        )
        relay.reconfigured(replace(relay.settings, links=(asia, us)))
        with pytest.raises(RestartNeededError, match=r"relay.links: a region more or less"):
            relay.reconfigured(replace(relay.settings, links=(asia,)))
    await trio.sleep(15)
    assert all(relay.region_links["us"].up.keys() == {"us-1"} for relay in world.of("eu"))
    publish(router, "eu-room", 1)
    await until(lambda: there.bodies() == [b"1"])
    assert there.received[-1][0] == "us-1"


@pytest.mark.parametrize("leaving", ["us-1", "us-2", "eu-1", "eu-2"])
async def test_a_relay_that_is_drained_loses_nothing_of_what_crosses(
    world: World, autojump_clock: Clock, leaving: str
) -> None:
    router = await world.node("eu-router", "router")
    logic, asking = await world.node("eu-logic", "logic"), await world.node("us-asking", "access")
    logic.answer = lambda asked, body: b"yes"
    there = await world.node("us-access", "access", "eu-room", "other")
    await trio.sleep(3)
    sent = 0

    async def load() -> None:
        nonlocal sent
        while True:
            publish(router, "eu-room", sent)
            sent += 1
            assert await asking.mesh.request(Method.PUBLISH, Priority.NORMAL, home="eu") == b"yes"
            await trio.sleep(0.005)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(load)
        await trio.sleep(0.2)
        await world.relays[leaving].leave()
        world.kill(leaving)
        await trio.sleep(0.2)
        nursery.cancel_scope.cancel()
    await trio.sleep(0.5)
    assert sent > 20
    assert there.bodies() == [b"%d" % seq for seq in range(sent)]
    assert not any(relay.region_links["us"].drops.total() for relay in world.of("eu"))
