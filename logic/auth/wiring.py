"""Accounts, logins and revocation as one part of a logic node: what it is made of, put together."""

from collections.abc import Mapping, Sequence

import trio
from prometheus_client.registry import Collector

from logic.auth.accounts import Accounts
from logic.auth.elsewhere import Elsewhere
from logic.auth.issuer import Issuer
from logic.auth.logins import Logins
from logic.auth.metrics import AuthCollector
from logic.auth.passwords import Passwords
from logic.auth.revoking import Revoking
from logic.auth.service import AuthHandler, no_accounts
from logic.auth.throttle import Throttle
from logic.dispatch import Handle
from logic.parts import Parts
from logic.settings import Settings
from mesh.interface import Mesh
from mesh.serving import Bounds
from proto.auth_services import decode_revocations
from proto.headers import RequestHeader
from proto.services import Method, encode

AT_WORK = 256
"""Requests about accounts at once: most of them wait for the store, the database, or for their
place among the hashes, which has a bound of its own."""


class Auth:
    """What a logic node runs of it. Accounts and revocations are at home where users are; other
    regions take the revocations over."""

    def __init__(self, whole: Settings, parts: Parts, mesh: Mesh, region: str) -> None:
        self._settings = whole.auth
        self._parts = parts
        self._revoking = Revoking(whole.auth, parts.revocations, parts.database, parts.now_ms)
        home = whole.regions.home_of_users
        away = home not in ("", region)
        self._elsewhere = Elsewhere(mesh, home, parts.revocations) if away else None
        self._collectors: list[Collector] = []
        self._handle = self._accounts() if whole.auth.kind == "accounts" else no_accounts

    def methods(self) -> Mapping[Method, Handle]:
        """Return what answers its methods."""
        return {
            Method.AUTH: self._handle,
            Method.REVOKE: self._revoking.handle,
            Method.REVOCATIONS: self._since,
        }

    @staticmethod
    def bounds() -> Bounds:
        """Return the places of requests about accounts: a password may take its time."""
        return Bounds(AT_WORK, AT_WORK, wait_s=1.0, target_s=float("inf"))

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        return self._collectors

    async def run(self) -> None:
        """Take over what is revoked elsewhere, until cancelled."""
        if self._elsewhere is None:
            await trio.sleep_forever()
        else:
            await self._elsewhere.run()

    async def _since(self, _header: RequestHeader, body: bytes) -> bytes:
        return encode(await self._parts.revocations.since(decode_revocations(body).version))

    def _accounts(self) -> Handle:
        settings, parts = self._settings, self._parts
        issuer = Issuer(settings, parts.now_ms)
        throttle = Throttle(settings.rates, parts.rate_limits)
        passwords = Passwords(settings.passwords)
        logins = Logins(
            settings,
            parts.database,
            issuer,
            self._revoking,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )
        accounts = Accounts(
            parts.database,
            passwords,
            throttle,
            logins,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )
        self._collectors.append(AuthCollector(accounts, logins, self._revoking, passwords))
        return AuthHandler(accounts, logins, self._revoking, throttle, issuer).handle
