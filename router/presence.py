"""Who lives, as the router last read it from the leases."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import Lost, NodeLease, Registry
from backends.routes.interface import Route
from mesh.lives import Lives

log = structlog.get_logger()


class Presence:
    """The leases that run, read anew each second and whenever a route names a node not known.

    After a read that failed, and until the registry says that it is `settled`, absence means
    nothing: `settled` is false then, and the last view stays for those who need only names.
    """

    def __init__(self, registry: Registry, elsewhere: Lives | None = None) -> None:
        self._registry = registry
        self._elsewhere = elsewhere
        self._reading = trio.Lock()
        self._reads = 0
        self._dead: set[tuple[str, str]] = set()
        self.leases: tuple[NodeLease, ...] = ()
        self.lost: tuple[Lost, ...] = ()
        """Nodes that went away within the last minutes, without a word."""
        self._here: dict[str, str] = {}
        self.settled = False

    @property
    def incarnations(self) -> Mapping[str, str]:
        """The access nodes that live, those of other regions among them, with their lives."""
        if self._elsewhere is None or not self._elsewhere.incarnations:
            return self._here
        return ChainMap(self._here, self._elsewhere.incarnations)

    @property
    def regions(self) -> Mapping[str, str]:
        """The region of each access node that is not of this one."""
        return self._elsewhere.region_of if self._elsewhere else {}

    @property
    def access_nodes(self) -> int:
        """How many access nodes live."""
        return len(self.incarnations)

    def living(self, role: str) -> list[NodeLease]:
        """Return the leases of the living nodes with `role`."""
        return [lease for lease in self.leases if lease.role == role]

    async def keep(self, interval_s: float) -> None:
        """Read the leases every `interval_s` seconds, for ever."""
        while True:
            await self.refresh()
            await trio.sleep(interval_s)

    async def refresh(self) -> None:
        """Read the leases now; callers that wait at the same time share the next read."""
        seen = self._reads
        async with self._reading:
            if self._reads > seen + 1:
                return  # A whole read has begun and ended since this call.
            await self._read()

    async def learn(self, routes: Sequence[Sequence[Route]]) -> None:
        """Read the leases once more if a route's node is not known to live.

        A node renews its lease before it registers a route, so a lease that is missing from a read
        that came after the lookup is really gone; a lease missing from an earlier one may be new.
        """
        unknown = set(self._unknown(routes))
        if unknown:
            await self.refresh()
            self._dead |= unknown - set(self.incarnations.items())

    def _unknown(self, routes: Sequence[Sequence[Route]]) -> Iterable[tuple[str, str]]:
        incarnations = self.incarnations
        for route in (route for its_routes in routes for route in its_routes):
            life = (route.node, route.incarnation)
            if route.region:
                continue  # Told by its own region, and not by our leases.
            if incarnations.get(route.node) != route.incarnation and life not in self._dead:
                yield life

    async def _read(self) -> None:
        try:
            leases = await self._registry.living()
            settled = await self._registry.settled()
            lost = await self._registry.lost()
        except StoreUnavailableError as error:
            if self.settled:
                log.warning("leases_unavailable", error=str(error))
            self.settled = False
        else:
            self._take(leases, settled)
            self.lost = tuple(sorted(lost, key=lambda each: each.lease.node))
        self._reads += 1

    def _take(self, leases: Sequence[NodeLease], settled: bool) -> None:
        self.leases = tuple(sorted(leases, key=lambda lease: lease.node))
        self._here = {lease.node: lease.incarnation for lease in leases if lease.role == "access"}
        self.settled = settled
        self._dead.clear()
