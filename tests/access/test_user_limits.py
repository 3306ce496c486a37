"""What one user, and one of its connections, may do: each limit exceeded by one."""

import pytest
import trio
from trio.testing import MockClock

from access.settings import ClientSettings, UserSettings
from backends.leases.interface import NodeLease
from backends.routes.interface import Route
from proto.close_codes import CloseCode
from proto.resume_tokens import Resume, mint_resume
from proto.token_keys import Keyring, hs256
from tests.access.cluster import NOW_MS, SECRET, Client, MakeWorld, World, token

THREE = UserSettings(max_connections=3)


async def connected(world: World, uid: str = "ann") -> Client:
    client = world.client()
    await client.hello(uid)
    return client


async def refused(world: World, uid: str = "ann") -> str:
    """Say hello once more than is allowed; returns the code of the answer."""
    client = world.client()
    code: str = (await client.ask("hello", token=token(uid)))["error"]["code"]
    await world.settle()
    assert client.connection.closed_with == CloseCode.TOO_MANY_CONNECTIONS
    return code


async def elsewhere(world: World, *connections: int, incarnation: str = "i", lives: bool) -> None:
    """Have Ann connected to another node, which lives or has died."""
    if lives:
        lease = NodeLease("access-2", "access", "local", incarnation, "ws://two", {})
        await world.store.registry.renew(lease)
    routes = [("ann", Route("access-2", incarnation, each)) for each in connections]
    await world.store.add(routes)


# -- connections


async def test_one_connection_too_many_is_refused_and_the_others_go_on(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    three, bob = [await connected(world) for _ in range(3)], await connected(world, "bob")
    assert await refused(world) == "too_many_connections"
    for client in (*three, bob):
        assert "ok" in await client.ask("ping")
    world.edge.hang_up(three[0].connection)
    await connected(world)


async def test_connections_to_other_nodes_count(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    await elsewhere(world, 1, 2, 3, lives=True)
    assert await refused(world) == "too_many_connections"
    assert len(world.node.users) == 0
    await world.settle(1)
    (routes,) = await world.store.lookup(["ann"])
    assert [each.node for each in routes] == ["access-2"] * 3
    await connected(world, "bob")


async def test_those_of_a_node_that_has_died_do_not(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    await elsewhere(world, 1, 2, 3, 4, lives=False)
    await elsewhere(world, 5, 6, incarnation="later", lives=True)
    await connected(world)


async def test_with_the_store_away_this_node_alone_is_counted(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    await elsewhere(world, 1, 2, 3, lives=True)
    world.store.away = True
    for _ in range(3):
        await connected(world)
    assert await refused(world) == "too_many_connections"


async def test_of_two_that_come_at_once_one_is_let_in(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    await elsewhere(world, 1, 2, lives=True)
    clients = [world.client(), world.client()]
    requests = [client.send("hello", token=token()) for client in clients]
    replies = [await each.reply(n) for each, n in zip(clients, requests, strict=True)]
    assert sorted("ok" in reply for reply in replies) == [False, True]


async def test_a_connection_that_moves_is_none_too_many(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=THREE)
    await elsewhere(world, 1, 2, 3, lives=True)
    moved = Resume("ann", "", "", "j1", NOW_MS // 1000 + 30)
    resume = mint_resume(moved, Keyring([hs256(SECRET)]))
    client = world.client()
    assert "ok" in await client.ask("hello", token=token(), resume=resume)
    assert client.connection.closed_with is None
    assert await refused(world) == "too_many_connections"
    again = world.client()
    reply = await again.ask("hello", token=token(), resume=resume)
    assert reply["error"]["code"] == "token_invalid", "used"


# -- frames


async def test_frames_of_all_connections_of_a_user_count_together(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=UserSettings(frames_per_s=10, frames_burst=10))
    one, two, bob = await connected(world), await connected(world), await connected(world, "bob")
    for _ in range(5):
        assert "ok" in await one.ask("ping")
        assert "ok" in await two.ask("ping")
    error = (await two.ask("ping"))["error"]
    assert error["code"] == "rate_limited"
    assert "frames a second of this user" in error["message"]
    assert "ok" in await bob.ask("ping")
    await world.settle(error["retry_after_ms"] / 1000)
    assert "ok" in await one.ask("ping")


async def test_who_goes_on_all_the_same_is_closed(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(user=UserSettings(frames_per_s=1, frames_burst=1))
    one, bob = await connected(world), await connected(world, "bob")
    for _ in range(201):
        one.raw(b'{"op":"ping","id":6}')
    assert one.connection.closed_with == CloseCode.TOO_MANY_ERRORS
    assert bob.connection.closed_with is None


# -- joins


@pytest.mark.parametrize(
    ("settings", "whose"),
    [
        ({"client": ClientSettings(joins_per_s=2, joins_burst=3)}, "joins a second"),
        ({"user": UserSettings(joins_per_s=2, joins_burst=3)}, "joins a second of this user"),
    ],
    ids=["of a connection", "of a user"],
)
async def test_one_join_too_many_has_to_wait(
    make_world: MakeWorld, autojump_clock: MockClock, settings: dict[str, object], whose: str
) -> None:
    world = make_world(**settings)
    client = world.client()
    ok = await client.hello("ann", join=[{"room": "a"}, {"room": "b"}])
    assert [("epoch" in answer) for answer in ok["rooms"].values()] == [True, True]
    assert "ok" in await client.ask("join", room="c")
    error = (await client.ask("join", room="d"))["error"]
    assert (error["code"], whose in error["message"]) == ("rate_limited", True)
    bob = world.client()
    await bob.hello("bob", join=[{"room": "d"}])
    assert bob.connection.state.rooms.keys() == {"d"}
    await world.settle(0.6)
    assert "ok" in await client.ask("join", room="d")


async def test_one_join_too_many_of_a_hello_has_its_error_inside(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(client=ClientSettings(joins_per_s=1, joins_burst=2))
    client = world.client()
    ok = await client.hello("ann", join=[{"room": room} for room in "abc"])
    errors = [answer.get("error", {}).get("code") for answer in ok["rooms"].values()]
    assert sorted(errors, key=str) == [None, None, "rate_limited"]
    assert len(client.connection.state.joining) == 0


async def test_failed_tokens_are_counted_against_the_address(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    bad = world.client()
    bad.send("hello", token="garbage")
    await ann.ask("refresh", token="garbage")
    assert (bad.connection.blamed, ann.connection.blamed) == (1, 1)
    await trio.lowlevel.checkpoint()
