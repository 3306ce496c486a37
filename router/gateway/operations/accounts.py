"""Accounts and logins: what clients ask before they connect. Logic answers, where it has any."""

from typing import Any

import msgspec

from mesh.interface import Mesh
from proto.auth_services import (
    AuthBody,
    ChangePassword,
    ListLogins,
    LogIn,
    LoginRows,
    LogOut,
    LogOutEverywhere,
    PublicKeys,
    Refresh,
    Register,
    Tokens,
)
from proto.errors import ErrorCode
from proto.priorities import Priority
from proto.services import Method, encode
from router.gateway.auth_bodies import Credentials, LoginToEnd, NewPassword, RefreshBody
from router.gateway.operation import Access, Call, Handle, Operation

MAX_BODY_BYTES = 4096


class Done(msgspec.Struct, frozen=True):
    """It is done; there is nothing to tell of it."""


class KeySet(msgspec.Struct, frozen=True):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class AccountOperations:
    """`/v1/auth/…`, for pages of other origins too. Who logs in has no token yet."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return what users ask about their own account."""
        anybody, token = Access.ANYBODY, Access.USER
        body, new = Credentials, Tokens
        return [
            _post("register", "Make an account, and log in.", self.register, anybody, body, new),
            _post("login", "Begin a login on a device.", self.log_in, anybody, body, new),
            _post(
                "refresh",
                "Exchange a refresh token for the next pair.",
                self.refresh,
                anybody,
                RefreshBody,
                new,
            ),
            _post(
                "logout",
                "End the login of the token, or another one of its user.",
                self.log_out,
                token,
                LoginToEnd,
            ),
            _post(
                "logout-everywhere",
                "End all logins of the token's user.",
                self.log_out_everywhere,
                token,
            ),
            _post(
                "password",
                "Set another password; all other logins end.",
                self.change_password,
                token,
                NewPassword,
            ),
            _get("logins", "List the logins of the token's user.", self.logins, token, LoginRows),
            _get(
                "jwks.json",
                "Return the keys that verify access tokens, as a JSON Web Key Set.",
                self.public_keys,
                anybody,
                KeySet,
            ),
        ]

    async def register(self, call: Call, body: Credentials) -> bytes:
        """Return the first tokens of a new account."""
        asked = Register(
            address=call.address, name=body.name, password=body.password, device=body.device
        )
        return await self._ask(asked)

    async def log_in(self, call: Call, body: Credentials) -> bytes:
        """Return the tokens of a new login."""
        asked = LogIn(
            address=call.address, name=body.name, password=body.password, device=body.device
        )
        return await self._ask(asked)

    async def refresh(self, call: Call, body: RefreshBody) -> bytes:
        """Return the next tokens of a login."""
        return await self._ask(Refresh(address=call.address, refresh_token=body.refresh_token))

    async def log_out(self, call: Call, body: LoginToEnd) -> bytes:
        """End the login of the token, or the one that the body names."""
        own = call.caller.sid
        asked = LogOut(address=call.address, sid=body.sid or own, own_sid=own)
        return await self._ask(asked, call.caller.id)

    async def log_out_everywhere(self, call: Call, _: None) -> bytes:
        """End all logins."""
        return await self._ask(LogOutEverywhere(address=call.address), call.caller.id)

    async def logins(self, call: Call, _: None) -> bytes:
        """Return all logins."""
        asked = ListLogins(address=call.address, sid=call.caller.sid)
        return await self._ask(asked, call.caller.id)

    async def change_password(self, call: Call, body: NewPassword) -> bytes:
        """Set another password."""
        asked = ChangePassword(
            address=call.address,
            sid=call.caller.sid,
            password=body.password,
            new_password=body.new_password,
        )
        return await self._ask(asked, call.caller.id)

    async def public_keys(self, call: Call, _: None) -> bytes:
        """Return the keys."""
        return await self._ask(PublicKeys(address=call.address))

    async def _ask(self, asked: AuthBody, uid: str = "") -> bytes:
        return await self._mesh.request(Method.AUTH, Priority.NORMAL, encode(asked), uid=uid)


def _post(
    name: str,
    summary: str,
    handle: Handle,
    needs: Access,
    takes: type[msgspec.Struct] | None = None,
    gives: Any = Done,
) -> Operation:
    return Operation(
        name=_camel(name),
        method="POST",
        path=f"/v1/auth/{name}",
        summary=summary,
        handle=handle,
        takes=takes,
        gives=gives,
        needs=needs,
        most_bytes=MAX_BODY_BYTES,
        may_be_empty=takes is LoginToEnd,
        cross_origin=True,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.CONFLICT, ErrorCode.RATE_LIMITED),
    )


def _get(name: str, summary: str, handle: Handle, needs: Access, gives: Any) -> Operation:
    return Operation(
        name=_camel(name.partition(".")[0]),
        method="GET",
        path=f"/v1/auth/{name}",
        summary=summary,
        handle=handle,
        gives=gives,
        needs=needs,
        cross_origin=True,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED),
    )


def _camel(name: str) -> str:
    first, *others = name.split("-")
    return first + "".join(each.capitalize() for each in others)
