"""Serves `Method.AUTH`: each request about an account to what does it."""

from logic.auth.accounts import Accounts
from logic.auth.issuer import Issuer
from logic.auth.logins import Logins
from logic.auth.revoking import Revoking
from logic.auth.throttle import Throttle
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
    decode_auth,
)
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.server_frames import encode_json


class AuthHandler:
    """Answers in JSON; raises `RequestError` and `StoreUnavailableError`."""

    def __init__(
        self,
        accounts: Accounts,
        logins: Logins,
        revoking: Revoking,
        throttle: Throttle,
        issuer: Issuer,
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._revoking = revoking
        self._throttle = throttle
        self._issuer = issuer

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Answer one request."""
        return encode_json(await self._do(header.uid, decode_auth(body)))

    async def _do(self, uid: str, asked: AuthBody) -> object:
        match asked:
            case Register():
                return await self._accounts.register(asked)
            case LogIn():
                return await self._accounts.log_in(asked)
            case ChangePassword():
                await self._accounts.change_password(uid, asked)
                return {}
            case PublicKeys():
                return self._issuer.public_keys()
        await self._throttle.ask(asked.address)
        return await self._of_logins(uid, asked)

    async def _of_logins(
        self, uid: str, asked: Refresh | LogOut | LogOutEverywhere | ListLogins
    ) -> object:
        match asked:
            case Refresh():
                return await self._logins.refresh(asked.refresh_token)
            case ListLogins():
                return {"logins": await self._logins.list(uid, asked.sid)}
            case LogOut():
                await self._logins.end(uid, asked.sid, asked.own_sid)
            case LogOutEverywhere():
                await self._revoking.user(uid)
        return {}


async def no_accounts(_header: RequestHeader, _body: bytes) -> bytes:
    """Answer where an issuer of its own signs all of the cluster's tokens."""
    raise RequestError(
        ErrorCode.NOT_FOUND,
        "This cluster has no accounts (logic.auth.kind is `none`): its tokens come from elsewhere.",
        field="path",
    )
