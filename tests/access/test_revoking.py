"""A revocation at an access node: whom it closes, whom it refuses, whom it leaves alone."""

from typing import Any

import pytest
import trio

from proto.auth_services import Revocation
from tests.access.cluster import NOW_MS, World, token

UNTIL_MS = NOW_MS + 3_600_000
BEFORE_S = NOW_MS / 1000 - 5


async def revoke(world: World, uid: str, sid: str = "", before_ms: int = NOW_MS) -> None:
    await world.store.revoke([Revocation(uid, sid, before_ms, UNTIL_MS)])
    await trio.sleep(0.3)


async def connected(world: World, uid: str, **claims: Any) -> Any:
    client = world.client()
    reply = await client.ask("hello", token=token(uid, **claims))
    assert reply["ok"]["uid"] == uid
    return client


async def test_all_connections_of_a_user_are_closed_and_nobody_elses(
    world: World, autojump_clock: object
) -> None:
    phone = await connected(world, "ann", iat=BEFORE_S)
    laptop = await connected(world, "ann", iat=BEFORE_S)
    bob = await connected(world, "bob", iat=BEFORE_S)
    await revoke(world, "ann")
    assert [
        phone.connection.closed_with,
        laptop.connection.closed_with,
        bob.connection.closed_with,
    ] == [4011, 4011, None]
    assert world.node.revoking.closed == 2


@pytest.mark.parametrize("uid", ["ann", ""], ids=["known user", "unknown user"])
async def test_one_login_is_closed_and_no_other(
    world: World, autojump_clock: object, uid: str
) -> None:
    phone = await connected(world, "ann", sid="s1", iat=BEFORE_S)
    laptop = await connected(world, "ann", sid="s2", iat=BEFORE_S)
    await revoke(world, uid, "s1")
    assert (phone.connection.closed_with, laptop.connection.closed_with) == (4011, None)


async def test_a_token_of_later_stays_and_is_let_in(world: World, autojump_clock: object) -> None:
    later = await connected(world, "ann", iat=NOW_MS / 1000 + 0.001)
    await revoke(world, "ann")
    assert later.connection.closed_with is None
    assert (await connected(world, "ann", iat=NOW_MS / 1000 + 0.001)).connection.closed_with is None


async def test_a_hello_with_a_revoked_token_is_refused(
    world: World, autojump_clock: object
) -> None:
    await revoke(world, "ann")
    client = world.client()
    reply = await client.ask("hello", token=token("ann", iat=BEFORE_S))
    assert (reply["error"]["code"], reply["error"]["field"]) == ("token_revoked", "token")
    assert client.connection.closed_with == 4011


async def test_a_refresh_with_a_revoked_token_is_refused_and_the_present_one_holds(
    world: World, autojump_clock: object
) -> None:
    client = await connected(world, "ann", sid="s1", iat=BEFORE_S)
    await revoke(world, "ann", "s2")
    reply = await client.ask("refresh", token=token("ann", sid="s2", iat=BEFORE_S))
    assert reply["error"]["code"] == "token_revoked"
    assert client.connection.closed_with is None
    await revoke(world, "ann", "s1")
    assert client.connection.closed_with == 4011


async def test_a_connection_is_judged_by_the_token_that_it_was_refreshed_with(
    world: World, autojump_clock: object
) -> None:
    client = await connected(world, "ann", iat=BEFORE_S)
    later = token("ann", iat=NOW_MS / 1000 + 1)
    assert "ok" in await client.ask("refresh", token=later)
    await revoke(world, "ann")
    assert client.connection.closed_with is None


async def test_while_the_store_is_away_what_is_known_holds_and_the_rest_is_let_in(
    world: World, autojump_clock: object
) -> None:
    await revoke(world, "ann")
    bob = await connected(world, "bob", iat=BEFORE_S)
    await world.store.revoke([Revocation("bob", "", NOW_MS, UNTIL_MS)])
    world.store.away = True
    await trio.sleep(3)
    ann = world.client()
    reply = await ann.ask("hello", token=token("ann", iat=BEFORE_S))
    assert reply["error"]["code"] == "token_revoked"
    assert bob.connection.closed_with is None
    world.store.away = False
    await trio.sleep(0.3)
    assert bob.connection.closed_with == 4011
