"""Passwords: hashed with argon2id in threads, so many at once and in waiting, and no more."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from backends.database.database import RunSync
from logic.auth.settings import PasswordSettings
from proto.errors import ErrorCode, RequestError

SALT_BYTES = 16
HASH_BYTES = 32
RETRY_MS = 1000
T = TypeVar("T")


class Passwords:
    """Hashes and verifies. All methods raise `RequestError` `overloaded` beyond the bound."""

    def __init__(
        self, settings: PasswordSettings, run_sync: RunSync = trio.to_thread.run_sync
    ) -> None:
        self._run_sync = run_sync
        self._limiter = trio.CapacityLimiter(settings.at_once)
        self.under_way = 0
        self.refused = 0
        self.reconfigured(settings)

    def reconfigured(self, settings: PasswordSettings) -> None:
        """Hash with these parameters and bounds from now on."""
        self.settings = settings
        self._limiter.total_tokens = settings.at_once
        self._nobodys = _nobodys(settings)
        self._hasher = PasswordHasher(
            time_cost=settings.passes,
            memory_cost=settings.memory_kib,
            parallelism=settings.lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )

    async def hash(self, password: str) -> str:
        """Return the hash to keep: with its salt and parameters."""
        return await self._run(partial(self._hasher.hash, password))

    async def verify(self, password: str, kept: str | None) -> bool:
        """Say whether `kept` is the password's hash. `None`: there is no such account; that takes
        as long, so that the time of an answer tells nobody which names there are."""
        return await self._run(partial(self._verify, password, kept or self._nobodys))

    def is_outdated(self, kept: str) -> bool:
        """Say whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self.under_way >= self.settings.at_once + self.settings.waiting:
            self.refused += 1
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=RETRY_MS)
        self.under_way += 1
        try:
            done: T = await self._run_sync(work, limiter=self._limiter)
            return done
        finally:
            self.under_way -= 1


def _nobodys(settings: PasswordSettings) -> str:
    """Return the hash of no password, with the parameters of a real one."""
    salt, digest = (b64encode(bytes(n)).decode().rstrip("=") for n in (SALT_BYTES, HASH_BYTES))
    costs = f"m={settings.memory_kib},t={settings.passes},p={settings.lanes}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
