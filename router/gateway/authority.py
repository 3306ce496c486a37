"""Who asks: the bearer token of an HTTP request."""

from collections.abc import Callable

from starlette.requests import Request

from backends.revocations.known import Known
from proto.errors import ErrorCode, RequestError
from proto.token_keys import Keyring
from proto.tokens import Claims, verify

NowS = Callable[[], float]


class Authority:
    """Verifies tokens against the cluster's keys, and what was revoked."""

    def __init__(self, keyring: Keyring, now_s: NowS, revoked: Known) -> None:
        self._keyring = keyring
        self._revoked = revoked
        self._now_s = now_s

    def claims(self, request: Request) -> Claims:
        """Return what the request's token says; raises `RequestError` `token_…`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            message = "Send the header Authorization: Bearer TOKEN."
            raise RequestError(ErrorCode.TOKEN_INVALID, message, field="authorization")
        claims = verify(token.strip(), self._keyring, self._now_s())
        self._revoked.check(claims)
        return claims

    def server(self, request: Request) -> Claims:
        """As `claims`, for role `server` alone; raises `RequestError` `forbidden` for others."""
        claims = self.claims(request)
        if claims.role != "server":
            raise RequestError(ErrorCode.FORBIDDEN, "Only a token of role server may do this.")
        return claims
