"""A client that comes by a move: its token is looked at, once, and decides what moves it again."""

from typing import Any

import pytest
from trio.testing import MockClock

from backends.leases.interface import NodeLease
from proto.heat import HeatState, Rule
from proto.resume_tokens import Resume, mint_resume
from proto.token_keys import Keyring, hs256
from tests.access.cluster import NOW_MS, SECRET, Client, MakeWorld, World, token

NOW_S = NOW_MS // 1000


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(pool="p1")


def resume(uid: str = "ann", room: str = "lobby", pool: str = "p1", **fields: Any) -> str:
    secret = fields.pop("secret", SECRET)
    said = {"jti": "j1", "exp": NOW_S + 30} | fields
    return mint_resume(Resume(uid, room, pool, **said), Keyring([hs256(secret)]))


async def hello(client: Client, resume: str, *rooms: str, uid: str = "ann") -> dict[str, Any]:
    join = [{"room": room} for room in rooms or ("lobby",)]
    return await client.ask("hello", token=token(uid), join=join, resume=resume)


async def test_a_client_that_was_moved_is_let_in_and_its_rooms_joined(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    ok = (await hello(client, resume()))["ok"]
    assert ok["rooms"]["lobby"]["role"] == "viewer"
    assert world.node.counters.resumes_accepted == 1


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (resume(uid="bob"), "another user"),
        (resume(pool="p2"), "other nodes"),
        (resume(pool=""), "other nodes"),
        (resume(room="den"), "join must name den"),
        (resume(exp=NOW_S), "expired"),
        (resume(secret="x" * 32), "ignature"),
        (resume(aud="relaymesh"), "aud"),
        ("nonsense", "resume:"),
    ],
)
async def test_a_bad_token_is_refused_and_the_connection_may_do_without(
    world: World, autojump_clock: MockClock, bad: str, why: str
) -> None:
    client = world.client()
    error = (await hello(client, bad))["error"]
    assert (error["code"], error["field"]) == ("token_invalid", "resume")
    assert why in error["message"]
    assert bad not in error["message"]
    assert "lobby" in (await client.hello("ann", join=[{"room": "lobby"}]))["rooms"]
    assert client.connection.closed_with is None
    assert world.node.counters.resumes_refused == 1


async def test_a_token_counts_once(world: World, autojump_clock: MockClock) -> None:
    used = resume()
    assert "ok" in await hello(world.client(), used)
    again = world.client()
    error = (await hello(again, used))["error"]
    assert (error["code"], error["field"]) == ("token_invalid", "resume")
    assert (await again.hello("ann"))["uid"] == "ann"


async def test_a_token_is_remembered_for_longer_than_a_slow_clock_would_take_it(
    world: World, autojump_clock: MockClock
) -> None:
    last_moment = resume(exp=NOW_S + 1)
    assert "ok" in await hello(world.client(), last_moment)
    await world.settle(5)  # the clock that tokens are checked by stands still
    error = (await hello(world.client(), last_moment))["error"]
    assert (error["code"], error["field"]) == ("token_invalid", "resume")


async def test_with_the_store_away_a_token_counts_for_nothing_and_the_client_is_let_in(
    world: World, autojump_clock: MockClock
) -> None:
    await world.settle(0.1)
    world.store.away = True
    client = world.client()
    error = (await hello(client, resume()))["error"]
    assert (error["code"], error["field"]) == ("token_invalid", "resume")
    assert (await client.hello("ann"))["uid"] == "ann"


async def test_there_is_no_second_hello_while_a_token_is_looked_at(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    first = client.send("hello", token=token(), join=[{"room": "lobby"}], resume=resume())
    error = (await client.ask("hello", token=token()))["error"]
    assert error["code"] == "hello_twice"
    assert "ok" in await client.reply(first)


async def test_a_client_that_goes_meanwhile_leaves_nothing_behind(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    client.send("hello", token=token(), join=[{"room": "lobby"}], resume=resume())
    world.edge.hang_up(client.connection)
    await world.settle(0.1)
    assert len(world.node.users) == 0
    assert world.node.sessions.connections == 0


async def test_who_was_moved_for_a_room_is_not_moved_for_another_until_it_leaves(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.rules["den"] = Rule("den", HeatState.HOT, 1, "p2")
    await world.store.renew(_node("hot-2", "p2"))
    pinned, other = world.client(), world.client()
    await hello(pinned, resume(), "lobby", "den")
    await other.hello("bob", join=[{"room": "lobby"}, {"room": "den"}])
    await world.settle(2.5)
    assert not pinned.pushes("move")
    assert [move["room"] for move in other.pushes("move")] == ["den"]
    await world.store.renew(_node("hot-2", "p2"))
    world.mesh.heads("den")
    await pinned.ask("leave", room="lobby")
    await world.settle(2.5)
    assert [move["room"] for move in pinned.pushes("move")] == ["den"]


def _node(name: str, pool: str) -> NodeLease:
    return NodeLease(name, "access", "local", "i", f"ws://{name}/v1", {"pool": pool})
