"""Keeps this node's part of the route map true: what is connected here is written there."""

from collections.abc import Iterable, Sequence

import structlog
import trio

from access.counters import AccessCounters
from backends.errors import StoreUnavailableError
from backends.routes.interface import Route, Routes

log = structlog.get_logger()

BATCH = 512
"""Writes under way at once: the store's client puts them into one pipeline."""
RETRY_S = 1.0
Key = tuple[str, int]
_NOBODY = trio.Event()


class RouteKeeper:
    """Writes routes in gathered batches, and again until the store has them.

    What waits is a set of connections, not a list of commands: it is bounded by the connections
    there are and were (beyond `max_waiting` removals are left out: such a route leads to a node
    that no longer knows the user, which does no harm).
    """

    def __init__(
        self,
        routes: Routes,
        node: str,
        incarnation: str,
        counters: AccessCounters,
        *,
        max_waiting: int = 200_000,
    ) -> None:
        self._routes = routes
        self._node = node
        self._incarnation = incarnation
        self._counters = counters
        self._max_waiting = max_waiting
        self._live: dict[Key, trio.Event | None] = {}
        """Connections here; the event is set, and dropped, once the store has had the route."""
        self._waiting: dict[Key, None] = {}
        self._work = trio.Event()

    @property
    def waiting(self) -> int:
        """How many routes are still to be written or removed."""
        return len(self._waiting)

    def add(self, uid: str, connection: int) -> trio.Event:
        """Write a connection's route soon; the event returned is set once the store has it."""
        written = self._live[uid, connection] = trio.Event()
        self._mark([(uid, connection)])
        return written

    def remove(self, uid: str, connection: int) -> None:
        """Remove a connection's route, sooner or later."""
        known = self._live.pop((uid, connection), _NOBODY) is not _NOBODY
        if known and len(self._waiting) < self._max_waiting:
            self._mark([(uid, connection)])

    def write_all_again(self) -> None:
        """Write all routes of this node: the store may have lost them."""
        self._mark(self._live)

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._work.wait()
            if not await self.write_some():
                await trio.sleep(RETRY_S)

    async def write_some(self) -> bool:
        """Write one batch of what waits; says whether the store took all of it."""
        batch = [key for key, _ in zip(self._waiting, range(BATCH), strict=False)]
        for key in batch:
            del self._waiting[key]
        if not self._waiting:
            self._work = trio.Event()
        failed = await self._write(batch)
        if failed:
            log.warning("routes_not_written", routes=len(failed))
            self._mark(failed)
        return not failed

    async def _write(self, batch: Sequence[Key]) -> list[Key]:
        failed: list[Key] = []

        async def write(key: Key) -> None:
            try:
                await self._write_one(key)
            except StoreUnavailableError:
                self._counters.route_errors += 1
                failed.append(key)

        async with trio.open_nursery() as nursery:
            for key in batch:
                nursery.start_soon(write, key)
        return failed

    async def _write_one(self, key: Key) -> None:
        uid, connection = key
        route = Route(self._node, self._incarnation, connection)
        if key in self._live:
            await self._routes.add(uid, route)
            self._tell_written(key)
        else:
            await self._routes.remove(uid, route)
        self._counters.route_writes += 1

    def _tell_written(self, key: Key) -> None:
        written = self._live.get(key)
        if written is not None:
            written.set()
            self._live[key] = None

    def _mark(self, keys: Iterable[Key]) -> None:
        self._waiting.update(dict.fromkeys(keys))
        if self._waiting:
            self._work.set()
