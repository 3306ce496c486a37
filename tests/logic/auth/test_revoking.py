"""What an operator revokes, and how long that is remembered."""

from typing import Any

import pytest
import trio

from backends.revocations.memory import MemoryRevocations
from logic.auth.elsewhere import Elsewhere
from logic.auth.revoking import CLOCKS_MS, SLACK_MS
from proto.auth_services import Revocation, decode_revocations
from proto.errors import ErrorCode, RequestError
from proto.services import Method, encode
from tests.logic.auth.conftest import START_MS, Front


async def test_an_operator_revokes_a_user(front: Front) -> None:
    ann, bob = await front.register("Ann"), await front.register("Bob")
    assert await front.order(ann["uid"]) == {"uid": ann["uid"]}
    assert (await front.counts(ann), await front.counts(bob)) == (False, True)
    refused = await front.refused("Refresh", refresh_token=ann["refresh_token"])
    assert refused == ("token_invalid", "refresh_token")
    assert await front.counts(await front.log_in("Ann"))


async def test_a_node_whose_clock_is_ahead_saves_no_token(front: Front) -> None:
    front.pass_s(CLOCKS_MS / 1000)
    tokens = await front.register()
    front.pass_s(-CLOCKS_MS / 1000)
    await front.order(tokens["uid"])
    assert not await front.counts(tokens)


async def test_a_database_that_is_slow_saves_no_token(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, write, refreshed = await front.register(), front.database.write, list[Any]()

    async def slow(work: Any) -> Any:
        if not refreshed:
            # What is to be ended is refreshed before the database has ended it, seconds later.
            front.pass_s(CLOCKS_MS / 1000 + 2)
            refreshed.append(None)
            refreshed.append(await front.refresh(tokens))
        return await write(work)

    monkeypatch.setattr(front.database, "write", slow)
    await front.order(tokens["uid"])
    assert front.claims(refreshed[1]).iat * 1000 > START_MS + CLOCKS_MS
    assert not await front.counts(refreshed[1])
    assert await front.counts(await front.log_in())


async def test_an_operator_revokes_a_login_by_its_name_alone(front: Front) -> None:
    phone, laptop = await front.register(), await front.log_in()
    assert await front.order(sid=phone["sid"]) == {"sid": phone["sid"]}
    assert (await front.counts(phone), await front.counts(laptop)) == (False, True)
    (revocation,) = (await front.revocations.since(0)).revocations
    assert revocation.uid == phone["uid"]
    refused = await front.refused("Refresh", refresh_token=phone["refresh_token"])
    assert refused == ("token_invalid", "refresh_token")


async def test_revocations_are_kept_for_as_long_as_tokens_live(make_front: Any) -> None:
    front = make_front(access_token_s=100, revoked_for_s=5000)
    tokens = await front.register()
    await front.order(tokens["uid"])
    await front.order(sid=tokens["sid"])
    await front.order(sid="of-another-issuer")
    kept = {each.subject: each.until_ms for each in (await front.revocations.since(0)).revocations}
    assert kept == {
        f"uid:{tokens['uid']}": START_MS + 5_000_000 + SLACK_MS,
        f"sid:{tokens['sid']}": START_MS + 100_000 + CLOCKS_MS + SLACK_MS,
        "sid:of-another-issuer": START_MS + 5_000_000 + SLACK_MS,
    }


async def test_without_accounts_the_tokens_of_another_issuer_are_revoked(make_front: Any) -> None:
    front = make_front(kind="none")
    await front.order("ann")
    (revocation,) = (await front.revocations.since(0)).revocations
    assert (revocation.uid, revocation.before_ms) == ("ann", START_MS)


@pytest.mark.parametrize(
    ("asked", "field"), [({"uid": "a b"}, "uid"), ({"uid": ""}, "uid"), ({"sid": "a b"}, "sid")]
)
async def test_what_can_be_none_is_refused(front: Front, asked: dict[str, str], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        await front.order(**asked)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.BAD_FRAME, field)


class Home:
    """A mesh whose other region answers from `there`, or is away."""

    def __init__(self, there: MemoryRevocations) -> None:
        self.there = there
        self.away = False

    async def request(self, method: Method, priority: Any, body: bytes, *, home: str) -> bytes:
        await trio.lowlevel.checkpoint()
        assert (method, home) == (Method.REVOCATIONS, "eu")
        if self.away:
            raise RequestError(ErrorCode.HOME_UNREACHABLE)
        return encode(await self.there.since(decode_revocations(body).version))


async def test_another_region_takes_over_what_is_revoked_and_what_it_missed(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    there, here = MemoryRevocations(lambda: START_MS), MemoryRevocations(lambda: START_MS)
    home = Home(there)
    nursery.start_soon(Elsewhere(home, "eu", here).run)  # type: ignore[arg-type]
    first, second = (Revocation(uid, "", START_MS, START_MS + 9) for uid in ("ann", "bob"))
    await there.revoke([first])
    await trio.sleep(0.25)
    assert (await here.since(0)).revocations == [first]
    home.away = True
    await there.revoke([second])
    await trio.sleep(3)
    home.away = False
    await trio.sleep(0.25)
    assert (await here.since(0)).revocations == [first, second]
