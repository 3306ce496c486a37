"""Keeps this node's part of the route map true: what is connected here is written there."""

from collections.abc import Iterable, Sequence

import structlog
import trio

from access.counters import AccessCounters
from backends.errors import StoreUnavailableError
from backends.routes.interface import Route, RouteWriter, UserRoute

log = structlog.get_logger()

BATCH = 512
"""Routes of one write."""
RETRY_S = 1.0
Key = tuple[str, int]


class RouteKeeper:
    """Writes routes in gathered batches, and again until the store has them.

    What waits is a set of connections, not a list of commands: it is bounded by the connections
    there are and were (beyond `max_waiting` removals are left out: such a route leads to a node
    that no longer knows the user, which does no harm).
    """

    def __init__(
        self,
        routes: RouteWriter,
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
        self._devices: dict[Key, str] = {}
        """The devices of those connections that have one."""
        self._waiting: dict[Key, None] = {}
        self._work = trio.Event()

    @property
    def waiting(self) -> int:
        """How many routes are still to be written or removed."""
        return len(self._waiting)

    def add(self, uid: str, connection: int, device: str = "") -> trio.Event:
        """Write a connection's route soon; the event returned is set once the store has it.

        `device` is the one that takes instant messages on this connection ("": none does).
        """
        if device:
            self._devices[uid, connection] = device
        written = self._live[uid, connection] = trio.Event()
        self._mark([(uid, connection)])
        return written

    def remove(self, uid: str, connection: int) -> None:
        """Remove a connection's route, sooner or later."""
        known = (uid, connection) in self._live
        self._live.pop((uid, connection), None)
        self._devices.pop((uid, connection), None)
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
        try:
            await self._write(batch)
        except StoreUnavailableError:
            self._counters.route_errors += len(batch)
            log.warning("routes_not_written", routes=len(batch))
            self._mark(batch)
            return False
        self._counters.route_writes += len(batch)
        return True

    async def _write(self, batch: Sequence[Key]) -> None:
        came = [key for key in batch if key in self._live]
        went = [key for key in batch if key not in self._live]
        if went:
            await self._routes.remove(list(map(self._route, went)))
        if came:
            await self._routes.add(list(map(self._route, came)))
        for key in came:
            self._tell_written(key)

    def _route(self, key: Key) -> UserRoute:
        uid, connection = key
        device = self._devices.get(key, "")
        return uid, Route(self._node, self._incarnation, connection, device)

    def _tell_written(self, key: Key) -> None:
        written = self._live.get(key)
        if written is not None:
            written.set()
            self._live[key] = None

    def _mark(self, keys: Iterable[Key]) -> None:
        self._waiting.update(dict.fromkeys(keys))
        if self._waiting:
            self._work.set()
