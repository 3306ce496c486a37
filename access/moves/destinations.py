"""Where clients can be sent: access nodes of the region that take them."""

from collections.abc import Iterable

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry
from proto.rendezvous import weight
from proto.server_frames import Destination

log = structlog.get_logger()

MOST = 4
"""Endpoints that a client is told: enough to find one that takes it, when some have just died."""
SAMPLED = 32
"""Leases that are read of a pool, chosen at random: if each node that moves somebody read all of
them, the store's work would grow with the square of their number.

Each node has a sample of its own, and another one every `REFRESH_S`, so all nodes of a pool are
filled. How level: from S nodes at once, each of N others gets clients of S * 32 / N of them, give
or take the root of that: with 2,000 and 200 that is 320 ± 18, or 6 % more or fewer clients. Of a
single node, one that drains, each of 32 takes a thirty-second: little beside what it has. A sample
does not look for the emptier ones; the gateway does, for everybody who comes by it. Where hardly
any node has room left a sample may have none that takes clients: members then wait for the next
one, and who drains goes on as if there were no other node."""
REFRESH_S = 2.0
"""Seconds for which a sample is fresh. A node that dies meanwhile is one of several that a client
is told."""
KEPT_S = 5.0
"""Seconds for which the last sample serves while the store is away."""

FORGOTTEN_S = 3600.0
"""A pool is forgotten so long after it was last asked for: longer than any node drains."""

NEVER = float("-inf")


class Sample:
    """The nodes of one pool that take clients, out of those that were read of it."""

    def __init__(self) -> None:
        self.asked_at = self.read_at = NEVER
        self.endpoints: list[Destination] = []


class Destinations:
    """Nodes by pool, as their leases said at the last `refresh` of it."""

    def __init__(self, node: str, region: str, registry: Registry) -> None:
        self._node = node
        self._region = region
        self._registry = registry
        self._samples: dict[str, Sample] = {}

    async def refresh(self, pool: str) -> None:
        """Read leases of `pool`, unless that was a moment ago; with the store away the last ones
        serve a little longer."""
        now = trio.current_time()
        sample = self._samples.get(pool, Sample())
        if now - sample.asked_at < REFRESH_S:
            return
        sample.asked_at = now
        self._samples[pool] = sample
        self._forget(now - FORGOTTEN_S)
        await self._read(pool, sample)

    async def _read(self, pool: str, sample: Sample) -> None:
        try:
            living = await self._registry.living_in(pool, SAMPLED)
        except StoreUnavailableError as error:
            log.info("destinations_unknown", pool=pool, error=str(error))
            if trio.current_time() - sample.read_at > KEPT_S:
                sample.endpoints = []
            return
        sample.read_at = trio.current_time()
        sample.endpoints = _endpoints(lease for lease in living if self._serves(lease))

    def any(self, pool: str) -> bool:
        """Say whether some node of `pool` takes clients."""
        return bool(self._known(pool))

    def of(self, pool: str, uid: str) -> list[Destination]:
        """Return up to `MOST` endpoints of `pool`, in the order of rendezvous for `uid`."""
        known = self._known(pool)
        return sorted(known, key=lambda each: weight(uid, each.url), reverse=True)[:MOST]

    def _forget(self, until: float) -> None:
        for pool in [pool for pool, sample in self._samples.items() if sample.asked_at < until]:
            del self._samples[pool]

    def _known(self, pool: str) -> list[Destination]:
        return self._samples[pool].endpoints if pool in self._samples else []

    def _serves(self, lease: NodeLease) -> bool:
        is_mine = lease.node == self._node
        if lease.region != self._region or is_mine or not lease.url:
            return False
        status = lease.status
        if not status.get("ready", True) or status.get("draining", False):
            return False
        most = status.get("max_connections")
        return not isinstance(most, int) or status.get("connections", 0) < most


def _endpoints(leases: Iterable[NodeLease]) -> list[Destination]:
    found: dict[str, Destination] = {}
    for lease in sorted(leases, key=lambda lease: lease.node):
        # Several nodes may share a URL: processes of one machine, or those behind a balancer.
        found.setdefault(lease.url, Destination(lease.url, lease.node))
    return list(found.values())
