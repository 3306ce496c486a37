"""Accounts over HTTP: checks what comes, asks logic, hands its answer on."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from mesh.interface import Mesh
from proto.auth_services import (
    AuthBody,
    ChangePassword,
    ListLogins,
    LogIn,
    LogOut,
    LogOutEverywhere,
    PublicKeys,
    Refresh,
    Register,
    RevokeBody,
)
from proto.errors import ErrorCode, RequestError
from proto.ids import SESSION_ID_PATTERN, UID_PATTERN, is_session_id, is_uid
from proto.priorities import Priority
from proto.services import Method, encode
from router.gateway.addresses import address_of
from router.gateway.auth_bodies import Credentials, LoginToEnd, NewPassword, RefreshBody
from router.gateway.authority import Authority
from router.gateway.bodies import decode
from router.gateway.endpoint import answer_raw, read_body

MAX_BODY_BYTES = 4096
log = structlog.get_logger()


class AuthApi:
    """Handlers for `/v1/auth/…`, and for the revocation of users and logins."""

    def __init__(self, authority: Authority, mesh: Mesh) -> None:
        self._authority = authority
        self._mesh = mesh

    async def register(self, request: Request) -> Response:
        """Make an account, and log in."""
        body = decode(await read_body(request, MAX_BODY_BYTES), Credentials)
        asked = Register(
            address=address_of(request),
            name=body.name,
            password=body.password,
            device=body.device,
        )
        return await self._ask(asked)

    async def log_in(self, request: Request) -> Response:
        """Begin a login."""
        body = decode(await read_body(request, MAX_BODY_BYTES), Credentials)
        asked = LogIn(
            address=address_of(request),
            name=body.name,
            password=body.password,
            device=body.device,
        )
        return await self._ask(asked)

    async def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for the next pair."""
        body = decode(await read_body(request, MAX_BODY_BYTES), RefreshBody)
        address = address_of(request)
        return await self._ask(Refresh(address=address, refresh_token=body.refresh_token))

    async def log_out(self, request: Request) -> Response:
        """End the login of the request's token, or another one of the same user."""
        claims = self._authority.claims(request)
        raw = await read_body(request, MAX_BODY_BYTES)
        body = decode(raw, LoginToEnd) if raw else LoginToEnd()
        asked = LogOut(address=address_of(request), sid=body.sid or claims.sid)
        return await self._ask(asked, claims.sub)

    async def log_out_everywhere(self, request: Request) -> Response:
        """End all logins of the request's user."""
        claims = self._authority.claims(request)
        return await self._ask(LogOutEverywhere(address=address_of(request)), claims.sub)

    async def logins(self, request: Request) -> Response:
        """List the logins of the request's user."""
        claims = self._authority.claims(request)
        asked = ListLogins(address=address_of(request), sid=claims.sid)
        return await self._ask(asked, claims.sub)

    async def change_password(self, request: Request) -> Response:
        """Set another password; all other logins end."""
        claims = self._authority.claims(request)
        body = decode(await read_body(request, MAX_BODY_BYTES), NewPassword)
        asked = ChangePassword(
            address=address_of(request),
            sid=claims.sid,
            password=body.password,
            new_password=body.new_password,
        )
        return await self._ask(asked, claims.sub)

    async def public_keys(self, request: Request) -> Response:
        """Answer the keys that verify access tokens, as a JSON Web Key Set."""
        return await self._ask(PublicKeys(address=address_of(request)))

    async def revoke_user(self, request: Request) -> Response:
        """Revoke all that the user in the path was given; for holders of a server's token."""
        claims = self._authority.server(request)
        uid = request.path_params["uid"]
        _check("uid", is_uid(uid), UID_PATTERN)
        log.info("revocation_ordered", uid=uid, by=claims.sub)
        return await self.revoke(RevokeBody(uid))

    async def revoke_login(self, request: Request) -> Response:
        """Revoke the login in the path; for holders of a server's token."""
        claims = self._authority.server(request)
        sid = request.path_params["sid"]
        _check("sid", is_session_id(sid), SESSION_ID_PATTERN)
        log.info("revocation_ordered", sid=sid, by=claims.sub)
        return await self.revoke(RevokeBody("", sid))

    async def revoke(self, body: RevokeBody) -> Response:
        """Have logic revoke a user or a login, and answer which."""
        raw = await self._mesh.request(
            Method.REVOKE, Priority.URGENT, encode(body), repeatable=True
        )
        return answer_raw(raw)

    async def _ask(self, asked: AuthBody, uid: str = "") -> Response:
        raw = await self._mesh.request(Method.AUTH, Priority.NORMAL, encode(asked), uid=uid)
        return answer_raw(raw)


def _check(field: str, fine: bool, pattern: str) -> None:
    if not fine:
        raise RequestError(ErrorCode.BAD_FRAME, f"{field}: must match {pattern}", field=field)
