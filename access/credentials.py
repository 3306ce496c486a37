"""Whether a token is good: asked by `hello` and by `refresh`."""

from collections.abc import Callable

from backends.revocations.known import Known
from proto import tokens
from proto.token_keys import Keyring
from proto.tokens import Claims


class Credentials:
    """Verifies tokens; `now_s` is the time of their `exp`, Unix seconds."""

    def __init__(self, keyring: Keyring, revoked: Known, now_s: Callable[[], float]) -> None:
        self._keyring = keyring
        self._revoked = revoked
        self._now_s = now_s

    def verify(self, token: str) -> Claims:
        """Return what the token says; raises `RequestError` as `proto.tokens.verify`, and
        `token_revoked`."""
        claims = tokens.verify(token, self._keyring, self._now_s())
        self.check(claims)
        return claims

    def check(self, claims: Claims) -> None:
        """Raise `token_revoked` for claims that were verified before and revoked since."""
        self._revoked.check(claims)
