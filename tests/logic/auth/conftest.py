"""The auth part of a logic node over a database, with a clock that the test moves."""

import random
from functools import partial
from typing import Any

import msgspec
import pytest

from backends.database.database import Database
from backends.errors import StoreUnavailableError
from backends.rate_limit.interface import Rate
from backends.rate_limit.memory import MemoryRateLimit
from backends.revocations.known import Known
from backends.revocations.memory import MemoryRevocations
from logic.auth.accounts import Accounts
from logic.auth.issuer import Issuer
from logic.auth.logins import Logins
from logic.auth.passwords import Passwords
from logic.auth.revoking import Revoking
from logic.auth.service import AuthHandler
from logic.auth.settings import AuthSettings, PasswordSettings
from logic.auth.throttle import Throttle
from proto import auth_services
from proto.auth_services import RevokeBody
from proto.errors import RequestError
from proto.headers import RequestHeader
from proto.services import Method, encode
from proto.token_keys import Keyring, hs256
from proto.tokens import Claims, verify
from tests.conftest import run_inline

START_MS = 1_790_000_000_000
SECRET = "a secret of more than thirty-two bytes, for tests"
CHEAP = PasswordSettings(memory_kib=8, passes=1)
"""Not checked as a config is: a test need not be hard to guess."""
PASSWORD = "correct horse"
ADDRESS = "192.0.2.1"


class Front:
    """Asks as the gateway does; `store_away` fails what needs the store."""

    def __init__(self, database: Database, **settings: Any) -> None:
        fields: dict[str, Any] = {"kind": "accounts", "secret": SECRET, "passwords": CHEAP}
        self.settings = AuthSettings(**(fields | settings))
        self.now_ms = START_MS
        self.database = database
        self.revocations = MemoryRevocations(self.time_ms)
        self.store_away = False
        bits = random.Random(9).getrandbits
        self.passwords = Passwords(self.settings.passwords, run_inline)
        throttle = Throttle(self.settings.rates, self._limit)
        issuer = Issuer(self.settings, self.time_ms)
        self.revoking = Revoking(self.settings, self, database, self.time_ms)
        self.logins = Logins(
            self.settings, database, issuer, self.revoking, now_ms=self.time_ms, random_bits=bits
        )
        self.accounts = Accounts(
            database, self.passwords, throttle, self.logins, now_ms=self.time_ms, random_bits=bits
        )
        self.handler = AuthHandler(self.accounts, self.logins, self.revoking, throttle, issuer)

    def time_ms(self) -> int:
        return self.now_ms

    def pass_s(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)

    async def ask(self, kind: str, uid: str = "", address: str = ADDRESS, **fields: Any) -> Any:
        """Return the answer of the request called `kind` in `proto.auth_services`."""
        body = getattr(auth_services, kind)(address=address, **fields)
        header = RequestHeader(1, "router-1", "i1", Method.AUTH, 2000, uid=uid)
        return msgspec.json.decode(await self.handler.handle(header, encode(body)))

    async def refused(self, kind: str, uid: str = "", **fields: Any) -> tuple[str, str]:
        """Return code and field of the error that the request is answered with."""
        with pytest.raises(RequestError) as caught:
            await self.ask(kind, uid, **fields)
        return caught.value.body.code.value, caught.value.body.field

    async def register(self, name: str = "Ann", **fields: Any) -> Any:
        return await self.ask("Register", **({"name": name, "password": PASSWORD} | fields))

    async def log_in(self, name: str = "Ann", **fields: Any) -> Any:
        return await self.ask("LogIn", **({"name": name, "password": PASSWORD} | fields))

    async def refresh(self, tokens: Any) -> Any:
        return await self.ask("Refresh", refresh_token=tokens["refresh_token"])

    async def order(self, uid: str = "", sid: str = "") -> Any:
        """Revoke as an operator."""
        header = RequestHeader(1, "router-1", "i1", Method.REVOKE, 2000)
        return msgspec.json.decode(await self.revoking.handle(header, encode(RevokeBody(uid, sid))))

    def claims(self, tokens: Any) -> Claims:
        """Return what the access token says, verified as a node does."""
        return verify(tokens["access_token"], Keyring([hs256(SECRET)]), self.now_ms / 1000)

    async def counts(self, tokens: Any) -> bool:
        """Say whether a node that has followed the revocations believes the access token."""
        known = Known()
        known.learn((await self.revocations.since(0)).revocations, self.now_ms)
        return not known.is_revoked(self.claims(tokens))

    # -- `Revocations`, which may be away

    async def revoke(self, revocations: Any) -> None:
        if self.store_away:
            raise StoreUnavailableError("away")
        await self.revocations.revoke(revocations)

    async def since(self, version: int) -> Any:
        return await self.revocations.since(version)

    def _limit(self, name: str, rate: Rate) -> Any:
        return _Limit(self, MemoryRateLimit(rate, self.time_ms))


class _Limit:
    def __init__(self, front: Front, inner: MemoryRateLimit) -> None:
        self._front = front
        self._inner = inner

    async def take(self, key: str) -> int:
        if self._front.store_away:
            raise StoreUnavailableError("away")
        return await self._inner.take(key)


@pytest.fixture
def make_front(database: Database) -> Any:
    return partial(Front, database)


@pytest.fixture
def front(database: Database) -> Front:
    return Front(database)
