"""Follows the revocations of a region, so that every node that verifies tokens knows them."""

from collections.abc import Callable, Sequence

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.revocations.interface import Revocations
from backends.revocations.known import Known
from proto.auth_services import Revocation

POLL_S = 0.25
"""A quarter of the second in which a revocation holds everywhere. The read of an index in which
nothing is new costs the store some microseconds."""

Learned = Callable[[Sequence[Revocation]], None]
log = structlog.get_logger()


class Following:
    """Keeps `known` new, and calls `learned` with what is.

    While the store is away what is known goes on to hold, and tokens of which nothing is known are
    believed: nobody could connect otherwise.
    """

    def __init__(
        self,
        store: Revocations,
        known: Known,
        now_ms: Callable[[], int],
        learned: Learned = lambda _: None,
    ) -> None:
        self._store = store
        self._known = known
        self._now_ms = now_ms
        self._learned = learned
        self._version = 0
        self._away = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.catch_up()
                self._away = False
            except StoreUnavailableError as error:
                if not self._away:
                    log.warning("revocations_unavailable", reason=str(error))
                self._away = True
            await trio.sleep(POLL_S)

    async def catch_up(self) -> None:
        """Read all that is new; raises `StoreUnavailableError`."""
        more = True
        while more:
            changes = await self._store.since(self._version)
            self._version, more = changes.version, changes.more
            if changes.revocations:
                self._known.learn(changes.revocations, self._now_ms())
                self._learned(changes.revocations)
