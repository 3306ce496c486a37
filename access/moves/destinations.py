"""Where clients can be sent: access nodes of the region that take them."""

from collections.abc import Iterable
from itertools import chain, islice
from zlib import crc32

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry
from proto.rendezvous import weight
from proto.server_frames import Destination

log = structlog.get_logger()

MOST = 4
"""Endpoints that a client is told: enough to find one that takes it, when some have just died."""
CONSIDERED = 16
"""Endpoints that are weighed for a client: with thousands, weighing all would take longer than the
move, and sixteen spread a crowd as evenly."""
REFRESH_S = 2.0
"""Seconds for which a list is fresh: each node that moves somebody reads all leases, so that the
store's work grows with the square of their number. A node that dies meanwhile is one of several
that a client is told."""
KEPT_S = 5.0
"""Seconds for which the last list serves while the store is away."""


class Destinations:
    """Nodes by pool, as their leases said at the last `refresh`."""

    def __init__(self, node: str, region: str, registry: Registry) -> None:
        self._node = node
        self._region = region
        self._registry = registry
        self._pools: dict[str, list[Destination]] = {}
        self._asked_at = self._read_at = float("-inf")

    async def refresh(self) -> None:
        """Read the leases, unless that was a moment ago; with the store away the last list serves a
        little longer."""
        if trio.current_time() - self._asked_at < REFRESH_S:
            return
        self._asked_at = trio.current_time()
        try:
            living = await self._registry.living()
        except StoreUnavailableError as error:
            log.info("destinations_unknown", error=str(error))
            if trio.current_time() - self._read_at > KEPT_S:
                self._pools = {}
            return
        self._read_at = trio.current_time()
        self._pools = _by_pool(lease for lease in living if self._serves(lease))

    def any(self, pool: str) -> bool:
        """Say whether some node of `pool` takes clients."""
        return pool in self._pools

    def of(self, pool: str, uid: str) -> list[Destination]:
        """Return up to `MOST` endpoints of `pool`, in the order of rendezvous for `uid`."""
        known = self._pools.get(pool, [])
        start = crc32(uid.encode()) % len(known) if known else 0
        around = chain(islice(known, start, None), islice(known, start))
        considered = list(islice(around, CONSIDERED))
        return sorted(considered, key=lambda each: weight(uid, each.url), reverse=True)[:MOST]

    def _serves(self, lease: NodeLease) -> bool:
        is_mine = lease.node == self._node
        if lease.role != "access" or lease.region != self._region or is_mine or not lease.url:
            return False
        status = lease.status
        if not status.get("ready", True) or status.get("draining", False):
            return False
        most = status.get("max_connections")
        return not isinstance(most, int) or status.get("connections", 0) < most


def _by_pool(leases: Iterable[NodeLease]) -> dict[str, list[Destination]]:
    pools: dict[str, dict[str, Destination]] = {}
    for lease in sorted(leases, key=lambda lease: lease.node):
        pool = str(lease.status.get("pool", ""))
        # Several nodes may share a URL: processes of one machine, or those behind a balancer.
        pools.setdefault(pool, {}).setdefault(lease.url, Destination(lease.url, lease.node))
    return {pool: list(found.values()) for pool, found in pools.items()}
