"""What a node knows of revocations: whether a token counts. Pure."""

from collections.abc import Iterable

from proto.auth_services import Revocation
from proto.errors import ErrorCode, RequestError
from proto.tokens import Claims

PURGE_EVERY = 1000
"""Revocations learned between two looks for those that are over."""


class Known:
    """The revocations by uid and by login; times are Unix milliseconds."""

    def __init__(self) -> None:
        self._users: dict[str, Revocation] = {}
        self._logins: dict[str, Revocation] = {}
        self._learned = 0

    def __len__(self) -> int:
        return len(self._users) + len(self._logins)

    def learn(self, revocations: Iterable[Revocation], now_ms: int) -> None:
        """Take in what was revoked, and forget what is over."""
        for each in revocations:
            if each.sid:
                self._logins[each.sid] = each
            else:
                self._users[each.uid] = each
            self._learned += 1
        if self._learned >= PURGE_EVERY:
            self._purge(now_ms)

    def is_revoked(self, claims: Claims) -> bool:
        """Say whether a token with these claims was revoked. One without `iat` counts as older
        than any revocation of its user."""
        if claims.sid and claims.sid in self._logins:
            return True
        user = self._users.get(claims.sub)
        return user is not None and round(claims.iat * 1000) <= user.before_ms

    def check(self, claims: Claims) -> None:
        """Raise `RequestError` `token_revoked` for the claims of a token that was revoked."""
        if self.is_revoked(claims):
            raise RequestError(ErrorCode.TOKEN_REVOKED, field="token")

    def _purge(self, now_ms: int) -> None:
        self._learned = 0
        self._users = _living(self._users, now_ms)
        self._logins = _living(self._logins, now_ms)


def _living(kept: dict[str, Revocation], now_ms: int) -> dict[str, Revocation]:
    return {key: each for key, each in kept.items() if each.until_ms > now_ms}
