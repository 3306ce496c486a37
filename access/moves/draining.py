"""A node that is to end sends its clients to others of its kind first."""

from collections.abc import Callable, Iterable

import structlog
import trio

from access.moves.destinations import Destinations
from access.moves.directions import Reason
from access.moves.mover import Mover
from access.session import Session

log = structlog.get_logger()

SPREAD_SHARE = 0.5
"""The part of the time over which clients go."""
GRACE_SHARE = 0.5
"""The part of it that each of them has to get away; who does not is closed, one by one too."""
LOOK_S = 0.05


class Draining:
    """Moves everybody away, once."""

    def __init__(
        self,
        pool: str,
        destinations: Destinations,
        sessions: Callable[[], Iterable[Session]],
    ) -> None:
        self._pool = pool
        self._destinations = destinations
        self._sessions = sessions
        self.reason: Reason | None = None
        """Why everybody has to leave, while the node drains and there is a node to go to."""

    async def run(self, mover: Mover, within_s: float) -> bool:
        """Send all clients to nodes of this one's pool, or else to ordinary ones; returns when none
        is left, at the latest after `within_s`. False, at once, where there is no other node."""
        pool = await self._destination()
        if pool is None:
            return False
        self.reason = Reason("", pool)
        for session in self._sessions():
            mover.send_away(session, self.reason, within_s * SPREAD_SHARE, within_s * GRACE_SHARE)
        with trio.move_on_after(within_s):
            while any(True for _ in self._sessions()):
                await trio.sleep(LOOK_S)
        return True

    async def _destination(self) -> str | None:
        """Return the pool that takes the clients: this node's or ordinary ones; `None` for none."""
        for pool in (self._pool, ""):
            await self._destinations.refresh(pool)
            if self._destinations.any(pool):
                return pool
        return None
