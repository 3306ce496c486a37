"""Who asks: the bearer token of an HTTP request, a JWT or an API key."""

from collections.abc import Callable

from backends.revocations.known import Known
from proto.errors import ErrorCode, RequestError
from proto.token_keys import Keyring
from proto.tokens import Claims, verify
from router.gateway.callers import Caller
from router.gateway.keys.api_key import is_key_token
from router.gateway.keys.ring import ApiKeys

NowS = Callable[[], float]


class Authority:
    """Verifies tokens against the cluster's keys and what was revoked, and API keys against those
    that hold now."""

    def __init__(self, keyring: Keyring, api_keys: ApiKeys, revoked: Known, now_s: NowS) -> None:
        self._keyring = keyring
        self._revoked = revoked
        self._api_keys = api_keys
        self._now_s = now_s

    def caller(self, authorization: str) -> Caller:
        """Return who sends this `Authorization` header; raises `RequestError` `token_…`."""
        token = _bearer(authorization)
        if is_key_token(token):
            return Caller.of_key(self._api_keys.verify(token, self._now_s()))
        return Caller.of_claims(self.claims(authorization))

    def claims(self, authorization: str) -> Claims:
        """Return what the JWT of the header says; raises `RequestError` `token_…`."""
        claims = verify(_bearer(authorization), self._keyring, self._now_s())
        self._revoked.check(claims)
        return claims


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        message = "Send the header Authorization: Bearer TOKEN."
        raise RequestError(ErrorCode.TOKEN_INVALID, message, field="authorization")
    return token.strip()
