"""Accounts: made, logged in to, given another password."""

import re
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from backends.database.accounts import (
    Account,
    account_called,
    account_of,
    add_account,
    change_password,
)
from backends.database.database import Database
from backends.database.logins import remove_other_logins
from logic.auth.logins import Logins
from logic.auth.passwords import Passwords
from logic.auth.throttle import Throttle
from proto.auth_services import ChangePassword, LogIn, Register, Tokens
from proto.errors import ErrorCode, RequestError
from proto.ids import MESSAGE_ID_PATTERN, RandomBits, new_id

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{2,31}\Z"
"""Letters of one alphabet: nobody takes a name that only looks like another's."""
MIN_PASSWORD = 8
MAX_PASSWORD = 128
"""NIST SP 800-63B: at least 8 characters, at least 64 allowed, no rules about which."""

_NAME = re.compile(NAME_PATTERN)
_DEVICE = re.compile(MESSAGE_ID_PATTERN)
log = structlog.get_logger()


class Accounts:
    """All accounts. Methods raise `RequestError`, and `StoreUnavailableError`."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        throttle: Throttle,
        logins: Logins,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._throttle = throttle
        self._logins = logins
        self._now_ms = now_ms
        self._random_bits = random_bits
        self.registered = 0
        self.logged_in = 0
        self.refused = 0

    async def register(self, asked: Register) -> Tokens:
        """Make an account and log in; raises `conflict` for a name that is taken, in whatever
        case."""
        _check_name(asked.name)
        _check_password("password", asked.password)
        _check_device(asked.device)
        await self._throttle.register(asked.address)
        if await self._called(asked.name) is not None:
            raise _taken(asked.name)
        account = Account(
            uid=f"u-{new_id(self._random_bits)}",
            name=asked.name,
            name_key=name_key(asked.name),
            password=await self._passwords.hash(asked.password),
            tokens_from=0,
            created=self._now_ms(),
        )
        if not await self._database.write(lambda c: add_account(c, account)):
            raise _taken(asked.name)
        self.registered += 1
        log.info("account_registered", uid=account.uid)
        tokens = await self._logins.begin(account, asked.device)
        assert tokens is not None  # Who would change its password has no token of it yet.
        return tokens

    async def log_in(self, asked: LogIn) -> Tokens:
        """Begin a login; raises `wrong_password`, which says not whether there is such a name."""
        _check_device(asked.device)
        if len(asked.password) > MAX_PASSWORD or not _NAME.match(asked.name):
            raise self._wrong()
        await self._throttle.log_in(asked.address, name_key(asked.name))
        account = await self._called(asked.name)
        if not await self._passwords.verify(asked.password, account and account.password):
            raise self._wrong()
        assert account is not None
        if self._passwords.is_outdated(account.password):
            account = await self._rehashed(account, asked.password)
        tokens = await self._logins.begin(account, asked.device)
        if tokens is None:
            # Another password meanwhile, or another hash of this one: ask again which it is.
            return await self.log_in(asked)
        self.logged_in += 1
        return tokens

    async def change_password(self, uid: str, asked: ChangePassword) -> None:
        """Set another password, and end all other logins."""
        _check_password("new_password", asked.new_password)
        account = await self._database.read(lambda c: account_of(c, uid))
        if account is None:
            raise RequestError(ErrorCode.NOT_FOUND, f"{uid} has no account here", field="token")
        await self._logins.require(uid, asked.sid)
        await self._throttle.log_in(asked.address, account.name_key)
        right = len(asked.password) <= MAX_PASSWORD
        if not right or not await self._passwords.verify(asked.password, account.password):
            raise self._wrong()
        new = await self._passwords.hash(asked.new_password)
        # In one transaction: whoever has another login keeps it no longer than the old password,
        # also where the store can't be told now and so its last access token lives on.
        ended = await self._database.write(lambda c: _changed(c, account, new, asked.sid))
        if ended is None:
            raise RequestError(ErrorCode.CONFLICT, "the password was changed at the same moment")
        await self._logins.end_removed(uid, ended)
        log.info("password_changed", uid=uid)

    async def _called(self, name: str) -> Account | None:
        return await self._database.read(lambda c: account_called(c, name_key(name)))

    async def _rehashed(self, account: Account, password: str) -> Account:
        new = await self._passwords.hash(password)
        kept = await self._database.write(
            lambda c: change_password(c, account.uid, account.password, new)
        )
        return account._replace(password=new) if kept else account

    def _wrong(self) -> RequestError:
        self.refused += 1
        return RequestError(ErrorCode.WRONG_PASSWORD, field="password")


def name_key(name: str) -> str:
    """Return the name as it is compared."""
    return name.lower()


def _changed(connection: Connection, account: Account, password: str, sid: str) -> list[str] | None:
    if not change_password(connection, account.uid, account.password, password):
        return None
    return remove_other_logins(connection, account.uid, sid)


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise _bad("name", "3 to 32 of the characters A-Z a-z 0-9 _ . -, a letter or digit first")


def _check_password(field: str, password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise _bad(field, f"{MIN_PASSWORD} to {MAX_PASSWORD} characters")


def _check_device(device: str) -> None:
    if device and not _DEVICE.match(device):
        raise _bad("device", "at most 64 of the characters A-Z a-z 0-9 _ -")


def _bad(field: str, allowed: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: expected {allowed}", field=field)


def _taken(name: str) -> RequestError:
    return RequestError(ErrorCode.CONFLICT, f"name: {name} is taken", field="name")
