"""Which rooms' heat this router keeps: those of the shards whose duty it holds."""

from collections.abc import Callable, Iterable
from zlib import crc32

from backends.leases.interface import Duties
from proto.identity import NodeIdentity
from proto.rendezvous import carrier

SHARDS = 16
"""Enough to spread rooms over the routers of a region."""

DUTY_TTL_S = 3.0
"""Held anew each second: a router that dies is replaced after three."""


def shard_of(name: str) -> int:
    """Return the shard of a room, or of a pool that no room has."""
    return crc32(name.encode()) % SHARDS


class Shards:
    """Rendezvous hashing spreads the shards over the living routers; the duty, held in the store,
    sees to it that no two work on the same one. Where they do for a moment, fences tell."""

    def __init__(
        self, identity: NodeIdentity, duties: Duties, routers: Callable[[], Iterable[str]]
    ) -> None:
        self._node = identity.node
        self._holder = f"{identity.node} {identity.incarnation}"
        self._duties = duties
        self._routers = routers
        self._held: set[int] = set()

    async def hold(self) -> frozenset[int]:
        """Take or renew what is this router's, give up the rest; returns the shards held.

        Raises `StoreUnavailableError`.
        """
        routers = {*self._routers(), self._node}
        for shard in range(SHARDS):
            if carrier(_duty(shard), routers) == self._node:
                await self._take(shard)
            else:
                await self._give_up(shard)
        return frozenset(self._held)

    async def release(self) -> None:
        """Give all up, so that others need not wait for them to run out."""
        for shard in sorted(self._held):
            await self._give_up(shard)

    async def _take(self, shard: int) -> None:
        self._held.discard(shard)
        if await self._duties.hold(_duty(shard), self._holder, DUTY_TTL_S) is not None:
            self._held.add(shard)

    async def _give_up(self, shard: int) -> None:
        if shard in self._held:
            self._held.discard(shard)
            await self._duties.release(_duty(shard), self._holder)


def _duty(shard: int) -> str:
    return f"heat-{shard}"
