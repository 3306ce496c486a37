"""Leases in memory, for tests of a whole cluster in one process."""

from collections.abc import Callable
from random import Random

from backends.leases.interface import LOST_KEPT_S, Lost, NodeLease, Orders


class MemoryRegistry:
    """Implements `Registry` on a clock in seconds, such as `trio.current_time`."""

    def __init__(self, now_s: Callable[[], float], ttl_s: float = 3.0) -> None:
        self._now_s = now_s
        self._ttl_s = ttl_s
        self._leases: dict[str, tuple[float, NodeLease]] = {}
        self._to_drain: dict[str, str] = {}
        self._random = Random(0)  # the same choice in each run of a test
        self._pulse_until_s = float("-inf")
        self._settled_from_s = float("inf")

    async def renew(self, lease: NodeLease) -> Orders:
        """See `Registry`."""
        now_s = self._now_s()
        if now_s >= self._pulse_until_s:
            self._settled_from_s = now_s + self._ttl_s
        self._pulse_until_s = now_s + self._ttl_s / 2
        self._leases[lease.node] = (now_s + self._ttl_s, lease)
        return Orders(drain=self._to_drain.get(lease.node) == lease.incarnation)

    async def order_drain(self, node: str) -> str | None:
        """See `Registry`."""
        for lease in await self.living():
            if lease.node == node:
                self._to_drain[node] = lease.incarnation
                return lease.incarnation
        return None

    async def resign(self, node: str, incarnation: str) -> None:
        """See `Registry`."""
        if node in self._leases and self._leases[node][1].incarnation == incarnation:
            del self._leases[node]

    async def living(self, role: str = "") -> list[NodeLease]:
        """See `Registry`."""
        now_s = self._now_s()
        found = [lease for until_s, lease in self._leases.values() if now_s < until_s]
        return [lease for lease in found if role in ("", lease.role)]

    async def living_in(self, pool: str, most: int) -> list[NodeLease]:
        """See `Registry`."""
        found = [lease for lease in await self.living("access") if lease.pool == pool]
        return self._random.sample(found, min(most, len(found)))

    async def lost(self) -> list[Lost]:
        """See `Registry`."""
        now_s = self._now_s()
        silent = [
            Lost(lease, now_s - until_s + self._ttl_s)
            for until_s, lease in self._leases.values()
            if until_s <= now_s
        ]
        return [each for each in silent if each.silent_s < LOST_KEPT_S]

    async def settled(self) -> bool:
        """See `Registry`."""
        return self._settled_from_s <= self._now_s() < self._pulse_until_s


class MemoryDuties:
    """Implements `Duties` on a clock in seconds."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._held: dict[str, tuple[str, float]] = {}
        self._fences: dict[str, int] = {}

    async def hold(self, duty: str, holder: str, ttl_s: float) -> int | None:
        """See `Duties`."""
        now_s = self._now_s()
        held_by, until_s = self._held.get(duty, ("", now_s))
        running = now_s < until_s
        if running and held_by != holder:
            return None
        if not running:
            self._fences[duty] = self._fences.get(duty, 0) + 1
        self._held[duty] = (holder, now_s + ttl_s)
        return self._fences[duty]

    async def release(self, duty: str, holder: str) -> None:
        """See `Duties`."""
        if duty in self._held and self._held[duty][0] == holder:
            del self._held[duty]
