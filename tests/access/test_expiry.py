"""What becomes of a connection whose token ends, and of one that shows another token in time."""

import pytest
import trio
from trio.testing import MockClock

from access.expiry import LAP_S, LOOK_S
from access.settings import ClientSettings
from proto.close_codes import CloseCode
from proto.services import Method
from tests.access.cluster import NOW_MS, SECRET, Client, MakeWorld, World, token

NOW_S = NOW_MS // 1000


async def pass_time(world: World, seconds: float) -> None:
    """Let the node's clock and the wall's go on together."""
    world.now_ms += round(seconds * 1000)
    await trio.sleep(seconds)
    await world.settle()


async def greeted(world: World, expires_in_s: int, uid: str = "ann") -> Client:
    client = world.client()
    await client.ask("hello", token=token(uid, expires_in_s=expires_in_s))
    return client


async def test_a_client_is_warned_a_minute_before_the_end_and_closed_at_it(
    world: World, autojump_clock: MockClock
) -> None:
    ann, bob = await greeted(world, 150), await greeted(world, 7200, "bob")
    await pass_time(world, 90 - 5)
    assert ann.pushes() == []
    await pass_time(world, 5 + LOOK_S)
    assert ann.pushes() == [{"push": "expiring", "expires_ms": NOW_MS + 150_000}]
    await pass_time(world, 58 - LOOK_S)
    assert ann.connection.closed_with is None
    await pass_time(world, 2 + LOOK_S)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED
    assert bob.pushes() == []
    assert bob.connection.closed_with is None
    assert world.node.counters.tokens_expiring == 1


async def test_a_token_that_ends_at_once_is_warned_of_and_ends(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await greeted(world, 2)
    await pass_time(world, LOOK_S)
    assert [push["push"] for push in ann.pushes()] == ["expiring"]
    await pass_time(world, 1 + LOOK_S)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED


async def test_of_a_long_token_nothing_is_noted(world: World, autojump_clock: MockClock) -> None:
    for number in range(100):
        await greeted(world, 2**31, f"user-{number}")
    await pass_time(world, 3 * LAP_S)
    assert len(world.node.expiry) == 0


async def test_a_client_that_is_gone_leaves_nothing_behind(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await greeted(world, 60)
    world.edge.hang_up(ann.connection)
    await pass_time(world, 70)
    assert len(world.node.expiry) == 0
    assert world.node.counters.closes[4002] == 0


async def test_a_refreshed_token_holds_from_then_on(
    world: World, autojump_clock: MockClock
) -> None:
    ann = world.client()
    await ann.ask("hello", token=token(expires_in_s=100), join=[{"room": "lobby"}])
    assert (await ann.ask("speech", room="lobby", text="x"))["error"]["code"] == "forbidden"
    await pass_time(world, 50)
    fresh = token(expires_in_s=700, name="Ann the host", host=("lobby",), sid="login-2")
    assert (await ann.ask("refresh", token=fresh))["ok"] == {"expires_ms": NOW_MS + 700_000}
    assert "ok" in await ann.ask("speech", room="lobby", text="x")
    assert world.mesh.asked_for(Method.PUBLISH)[-1].facts["name"] == "Ann the host"
    assert ann.connection.state.claims.sid == "login-2"
    await pass_time(world, 200)
    assert len(ann.pushes("expiring")) == 1
    assert ann.connection.closed_with is None
    await pass_time(world, 400)
    assert len(ann.pushes("expiring")) == 2
    await pass_time(world, 60)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED
    assert world.node.counters.tokens_refreshed == 1


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (token("bob"), "token_invalid"),
        (token(secret="x" * 32), "token_invalid"),
        (token(expires_in_s=0), "token_expired"),
        ("garbage", "token_invalid"),
    ],
    ids=["another user's", "forged", "expired", "garbage"],
)
async def test_a_token_that_is_not_accepted_changes_nothing(
    world: World, ann: Client, autojump_clock: MockClock, shown: str, code: str
) -> None:
    claims = ann.connection.state.claims
    error = (await ann.ask("refresh", token=shown))["error"]
    assert (error["code"], error["field"]) == (code, "token")
    assert shown not in str(error)
    assert ann.connection.state.claims is claims
    assert ann.connection.closed_with is None


async def test_hello_comes_before_a_refresh(world: World, autojump_clock: MockClock) -> None:
    client = world.client()
    assert (await client.ask("refresh", token=token()))["error"]["code"] == "hello_first"


async def test_the_same_token_again_warns_no_second_time(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await greeted(world, 50)
    await pass_time(world, 2)
    assert "ok" in await ann.ask("refresh", token=token(expires_in_s=50))
    await pass_time(world, 10)
    assert len(ann.pushes("expiring")) == 1
    await pass_time(world, 40)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED


async def test_who_shows_one_token_after_the_other_leaves_no_more_behind(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await greeted(world, 100)
    for _ in range(20):
        for expires_in_s in (110, 105):
            assert "ok" in await ann.ask("refresh", token=token(expires_in_s=expires_in_s))
    assert len(world.node.expiry) <= 3
    await pass_time(world, 45 + LOOK_S)
    assert len(ann.pushes("expiring")) == 1
    assert "ok" in await ann.ask("refresh", token=token(expires_in_s=110))
    await pass_time(world, 59 - LOOK_S)
    assert len(ann.pushes("expiring")) == 2
    assert ann.connection.closed_with is None
    await pass_time(world, 6 + LOOK_S)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED


async def test_the_warning_is_a_setting(make_world: MakeWorld, autojump_clock: MockClock) -> None:
    world = make_world(client=ClientSettings(expiry_warning_s=10))
    ann = await greeted(world, 30)
    await pass_time(world, 18)
    assert ann.pushes() == []
    await pass_time(world, 2 + LOOK_S)
    assert len(ann.pushes("expiring")) == 1


async def test_a_clock_that_is_set_forward_ends_what_has_ended(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await greeted(world, 86_400)
    world.now_ms += 86_400_000
    await world.settle(LAP_S + 2 * LOOK_S)
    assert ann.connection.closed_with == CloseCode.TOKEN_EXPIRED
    assert SECRET not in ann.connection.close_reason
