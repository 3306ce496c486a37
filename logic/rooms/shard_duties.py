"""Which shards of changed rooms this node publishes."""

from backends.leases.interface import Duties
from logic.living import Living
from proto.identity import NodeIdentity
from proto.rendezvous import carrier

DUTY_TTL_S = 3.0
"""Held anew each second: a holder that dies is replaced after three."""


class ShardDuties:
    """Rendezvous hashing spreads the shards over the living logic nodes; the duty, held in the
    store, sees to it that no two publish the same one."""

    def __init__(self, identity: NodeIdentity, duties: Duties, living: Living) -> None:
        self._node = identity.node
        self._holder = f"{identity.node} {identity.incarnation}"
        self._duties = duties
        self._living = living
        self._held: set[int] = set()

    @property
    def held(self) -> list[int]:
        """The shards that this node holds."""
        return sorted(self._held)

    async def hold(self, shard: int) -> bool:
        """Take or renew `shard`, or give it up where it is another's; say whether it is held.

        Raises `StoreUnavailableError`.
        """
        if carrier(_duty(shard), {*self._living.logic, self._node}) != self._node:
            await self._give_up(shard)
        elif await self._duties.hold(_duty(shard), self._holder, DUTY_TTL_S) is None:
            self._held.discard(shard)
        else:
            self._held.add(shard)
        return shard in self._held

    async def release(self) -> None:
        """Give all up, so that others need not wait for them to run out."""
        for shard in self.held:
            await self._give_up(shard)

    async def _give_up(self, shard: int) -> None:
        if shard in self._held:
            self._held.discard(shard)
            await self._duties.release(_duty(shard), self._holder)


def _duty(shard: int) -> str:
    return f"totals-{shard}"
