"""Pools that always run: a hot room gets one that no other room has."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from backends.errors import StoreUnavailableError
from backends.leases.interface import Duties
from backends.provisioner.interface import ProvisionerError
from proto.rendezvous import ranked

CLAIM_S = 60.0
"""How long a pool stays a room's own since it was last asked for, before a rule names it. A room
that prepares asks every few seconds; what was claimed for nothing is free a minute later."""

InUse = Callable[[], Awaitable[Collection[str]]]


class StaticPools:
    """Implements `Provisioner` over the pools of the config.

    What is free is no memory of this process, so that any router knows it after a restart: a pool
    is in use while a rule names it, which `in_use` reads. Before there is a rule it is the room's
    by a duty, which one room alone can hold: two routers never give away the same one.
    """

    def __init__(self, pools: Sequence[str], in_use: InUse, duties: Duties) -> None:
        self._pools = pools
        self._in_use = in_use
        self._duties = duties

    async def provide(self, room: str, pool: str, nodes: int) -> str:
        """See `Provisioner`. How many nodes a pool has is decided by who runs them."""
        try:
            if pool in self._pools and await self._is_claimed(pool, room):
                return pool
            return await self._claim(room, nodes)
        except StoreUnavailableError as error:
            raise ProvisionerError(f"which pools are free is not known: {error}") from None

    async def release(self, room: str, pool: str) -> None:
        """See `Provisioner`: a pool is free when nothing names it, and nobody claims it."""
        try:
            await self._duties.release(_duty(pool), room)
        except StoreUnavailableError as error:
            raise ProvisionerError(f"who has the pool is not known: {error}") from None

    async def _claim(self, room: str, nodes: int) -> str:
        taken = await self._in_use()
        # By rank, so that two rooms at the same time rarely try for the same one.
        for pool in ranked(room, set(self._pools) - set(taken)):
            if await self._is_claimed(pool, room):
                return pool
        raise ProvisionerError(f"{nodes} nodes for {room}: all {len(self._pools)} pools are in use")

    async def _is_claimed(self, pool: str, room: str) -> bool:
        """Claim `pool`, or go on claiming it; says whether it is the room's."""
        return await self._duties.hold(_duty(pool), room, CLAIM_S) is not None


def _duty(pool: str) -> str:
    return f"pool-{pool}"
