from typing import Any

import pytest
import trio

from backends.errors import StoreUnavailableError
from backends.revocations.following import POLL_S, Following
from backends.revocations.known import PURGE_EVERY, Known
from backends.revocations.memory import MemoryRevocations
from proto.auth_services import Changes, Revocation
from proto.errors import ErrorCode, RequestError
from proto.tokens import Claims

NOW_MS = 1_790_000_000_000


def now_ms() -> int:
    return NOW_MS + round(trio.current_time() * 1000)


def claims(uid: str = "ann", *, iat_ms: int = NOW_MS, sid: str = "") -> Claims:
    return Claims(uid, NOW_MS // 1000 + 900, iat=iat_ms / 1000, sid=sid)


def known(*revocations: Revocation) -> Known:
    made = Known()
    made.learn(revocations, NOW_MS)
    return made


@pytest.mark.parametrize(
    ("token", "revoked"),
    [
        (claims(iat_ms=NOW_MS - 1), True),
        (claims(iat_ms=NOW_MS), True),
        (claims(iat_ms=NOW_MS + 1), False),
        (claims(iat_ms=0), True),
        (claims("bob", iat_ms=0), False),
        (claims("bob", sid="s1", iat_ms=NOW_MS + 9), True),
        (claims("bob", sid="s2"), False),
    ],
    ids=["older", "same", "newer", "no iat", "another", "its login", "another login"],
)
def test_a_token_counts_by_its_user_its_time_and_its_login(token: Claims, revoked: bool) -> None:
    view = known(
        Revocation("ann", "", NOW_MS, NOW_MS + 1000), Revocation("", "s1", 0, NOW_MS + 1000)
    )
    assert view.is_revoked(token) is revoked
    if revoked:
        with pytest.raises(RequestError) as caught:
            view.check(token)
        assert caught.value.body.code is ErrorCode.TOKEN_REVOKED
    else:
        view.check(token)


def test_what_is_over_does_not_stay() -> None:
    over = [Revocation("ann", f"s{n}", 0, NOW_MS) for n in range(PURGE_EVERY)]
    view = known(*over[:-1], Revocation("ann", "", NOW_MS, NOW_MS + 1000))
    assert len(view) == 1


class Away(MemoryRevocations):
    def __init__(self) -> None:
        super().__init__(now_ms)
        self.away = False

    async def since(self, version: int) -> Changes:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().since(version)


async def test_what_is_revoked_is_known_within_a_poll_and_holds_while_the_store_is_away(
    autojump_clock: Any, nursery: trio.Nursery
) -> None:
    store, view, heard = Away(), Known(), list[Revocation]()
    following = Following(store, view, now_ms, heard.extend)
    first = Revocation("ann", "", now_ms(), now_ms() + 60_000)
    await store.revoke([first])
    nursery.start_soon(following.run)
    await trio.sleep(0.01)
    assert heard == [first]
    store.away = True
    await trio.sleep(POLL_S * 2)
    second = Revocation("bob", "", now_ms(), now_ms() + 60_000)
    await store.revoke([second])
    await trio.sleep(POLL_S * 2)
    assert (view.is_revoked(claims()), view.is_revoked(claims("bob"))) == (True, False)
    store.away = False
    await trio.sleep(POLL_S)
    assert heard == [first, second]
    assert view.is_revoked(claims("bob"))
