"""Accounts, logins and revocation as one part of a logic node: what it is made of, put together."""

from collections.abc import Mapping, Sequence

import trio
from prometheus_client.registry import Collector

from logic.auth.elsewhere import Elsewhere
from logic.auth.own_accounts import OwnAccounts
from logic.auth.revoking import Revoking
from logic.auth.service import no_accounts
from logic.auth.settings import AuthSettings
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
        self._revocations = parts.revocations
        self.revoking = Revoking(whole.auth, parts.revocations, parts.database, parts.now_ms)
        home = whole.regions.home_of_users
        away = home not in ("", region)
        self._elsewhere = Elsewhere(mesh, home, parts.revocations) if away else None
        has_accounts = whole.auth.kind == "accounts"
        self.own = OwnAccounts(whole.auth, parts, self.revoking) if has_accounts else None

    def methods(self) -> Mapping[Method, Handle]:
        """Return what answers its methods."""
        return {
            Method.AUTH: self.own.handler.handle if self.own else no_accounts,
            Method.REVOKE: self.revoking.handle,
            Method.REVOCATIONS: self._since,
        }

    @staticmethod
    def bounds() -> Bounds:
        """Return the places of requests about accounts: a password may take its time."""
        return Bounds(AT_WORK, AT_WORK, wait_s=1.0, target_s=float("inf"))

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        return [self.own.collector] if self.own else []

    def reconfigured(self, settings: AuthSettings) -> None:
        """Take over the keys that reload. Raises `ValueError`, and changes nothing, for a key file
        that can't be used."""
        if self.own:
            self.own.reconfigured(settings)
        self.revoking.settings = settings

    async def run(self) -> None:
        """Take over what is revoked elsewhere, until cancelled."""
        if self._elsewhere is None:
            await trio.sleep_forever()
        else:
            await self._elsewhere.run()

    async def _since(self, _header: RequestHeader, body: bytes) -> bytes:
        return encode(await self._revocations.since(decode_revocations(body).version))
