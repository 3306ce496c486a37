"""Logins: begun with a password, kept up with refresh tokens, ended by whom they belong to."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from backends.database.accounts import Account, account_of, hold_account
from backends.database.database import Database
from backends.database.logins import (
    Login,
    add_login,
    login_called,
    login_of,
    logins_of,
    update_login,
)
from logic.auth.issuer import Issuer
from logic.auth.refresh_tokens import RefreshToken, Use, judge, parse, rotated
from logic.auth.revoking import Revoking
from logic.auth.settings import AuthSettings
from proto.auth_services import LoginRow, Tokens
from proto.errors import ErrorCode, RequestError
from proto.ids import RandomBits, new_id

log = structlog.get_logger()


class _Used(NamedTuple):
    use: Use
    login: Login
    account: Account
    token: RefreshToken


class Logins:
    """The logins of all accounts. Methods raise `StoreUnavailableError`."""

    def __init__(
        self,
        settings: AuthSettings,
        database: Database,
        issuer: Issuer,
        revoking: Revoking,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self.settings = settings
        self._database = database
        self._issuer = issuer
        self._revoking = revoking
        self._now_ms = now_ms
        self._random_bits = random_bits
        self.refreshed = 0
        self.reused = 0

    async def begin(self, account: Account, device: str) -> Tokens | None:
        """Begin a login; one too many ends the one that was seen least lately. `None`, and there is
        none, if the account's password is no longer the one that `account` has."""
        token, now_ms = RefreshToken.new(self._random_bits), self._now_ms()
        login = Login(
            uid=account.uid,
            sid=f"{account.uid}.{new_id(self._random_bits)}",
            device=device,
            family=token.family_hash,
            token=token.hash,
            previous=b"",
            rotated=0,
            created=now_ms,
            seen=now_ms,
            until=self._until_ms(now_ms),
        )
        most = self.settings.max_logins
        begun = await self._database.write(lambda c: _added(c, account, login, most))
        if begun is None:
            return None
        held, ended = begun
        await self.end_removed(account.uid, ended)
        return self._tokens(held, login, token)

    async def refresh(self, text: str) -> Tokens:
        """Exchange a refresh token for the next pair.

        Raises `RequestError`: `token_invalid` for one that nobody was given or whose login has
        ended, `token_expired`, `token_revoked` for one that was used before: its login ends.
        """
        token = parse(text)
        if token is None:
            raise _refused(ErrorCode.TOKEN_INVALID, "is no refresh token")
        used = await self._database.write(lambda c: self._use(c, token))
        if used.use is Use.REUSED:
            self.reused += 1
            log.warning("refresh_token_reused", uid=used.login.uid, sid=used.login.sid)
            await self._revoking.login(used.login.uid, used.login.sid)
            raise _refused(ErrorCode.TOKEN_REVOKED, "was used before: its login is ended")
        self.refreshed += 1
        return self._tokens(used.account, used.login, used.token)

    async def end(self, uid: str, sid: str, own_sid: str) -> None:
        """End one login of `uid`, who asks with `own_sid`. Raises `RequestError` `not_found` for
        somebody else's.

        One that has ended is left so: every node remembers a revocation, and users make up no
        logins for them to remember. The asker's own is ended in any case: its token still counts.
        """
        if not sid.startswith(f"{uid}."):
            raise RequestError(ErrorCode.NOT_FOUND, f"sid: {uid} has no such login", field="sid")
        if sid == own_sid or await self._called(uid, sid):
            await self._revoking.login(uid, sid)

    async def end_removed(self, uid: str, sids: Sequence[str]) -> None:
        """Revoke what logins still have that are gone from the database already."""
        if sids:
            await self._revoking.logins_of(uid, sids)

    async def list(self, uid: str, sid: str) -> list[LoginRow]:
        """Return the logins of `uid`, the one seen last first; `own` is `sid`."""
        now_ms = self._now_ms()
        rows = await self._database.read(lambda c: logins_of(c, uid, now_ms))
        return [
            LoginRow(each.sid, each.device, each.created, each.seen, each.sid == sid)
            for each in rows
        ]

    async def require(self, uid: str, sid: str) -> None:
        """Raise `RequestError` `token_revoked` for a login that has ended: its access tokens may
        live a little longer where the store has lost the revocation."""
        if await self._called(uid, sid) is None:
            raise RequestError(ErrorCode.TOKEN_REVOKED, field="token")

    async def _called(self, uid: str, sid: str) -> Login | None:
        return await self._database.read(lambda c: login_called(c, uid, sid))

    def _use(self, connection: Connection, token: RefreshToken) -> _Used:
        login, now_ms = login_of(connection, token.family_hash), self._now_ms()
        account = account_of(connection, login.uid) if login else None
        if login is None or account is None:
            raise _refused(ErrorCode.TOKEN_INVALID, "is of no login, or of one that has ended")
        if login.until <= now_ms:
            raise _refused(ErrorCode.TOKEN_EXPIRED, "has expired; log in again")
        use = judge(login, token, now_ms, self.settings.reuse_grace_s * 1000)
        following = token.next(self._random_bits)
        if use is not Use.REUSED:
            login = rotated(login, use, following, now_ms, self._until_ms(now_ms))
            update_login(connection, login)
        return _Used(use, login, account, following)

    def _until_ms(self, now_ms: int) -> int:
        return now_ms + round(self.settings.refresh_token_s * 1000)

    def _tokens(self, account: Account, login: Login, token: RefreshToken) -> Tokens:
        access, expires_ms = self._issuer.issue(account, login.sid)
        return Tokens(
            uid=account.uid,
            name=account.name,
            sid=login.sid,
            access_token=access,
            access_expires_ms=expires_ms,
            access_token_s=self.settings.access_token_s,
            refresh_token=token.text,
            refresh_expires_ms=login.until,
        )


def _added(
    connection: Connection, account: Account, login: Login, most: int
) -> tuple[Account, list[str]] | None:
    # Held, so that who changes the password, or revokes, does so before, and is heeded here, or
    # after, and finds the login among those that it ends.
    held = hold_account(connection, account.uid)
    if held is None or held.password != account.password:
        return None
    return held, add_login(connection, login, most)


def _refused(code: ErrorCode, why: str) -> RequestError:
    return RequestError(code, f"refresh_token: {why}", field="refresh_token")
