"""Which pools are somebody's, and those that are nobody's: given back, so that none is paid for
for ever."""

from collections.abc import Collection

from backends.heat.interface import HeatStore
from router.heat.state import restored

ORPHAN_S = 120.0
"""Longer than from a provisioner's answer to the moment in which the store has it."""

RELEASE_AGAIN_S = 600.0
"""A pool that lives on was not released, or always runs."""


async def pools_in_use(store: HeatStore, *, but: str = "") -> set[str]:
    """Return the pools that rooms other than `but` have, or have not released yet.

    Raises `StoreUnavailableError`.
    """
    pools = {""}
    for room, rule in (await store.rules()).by_room.items():
        if room != but:
            kept = await store.load(room)
            # A pool is a room's own before its rule names it, and no longer once it is released.
            pools.add(restored(kept.rule, kept.detail).pool if kept else rule.pool)
    return pools - {""}


class Orphans:
    """Pools that live though no room has them: a provisioner's answer was lost, or its router died.
    Pure."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def look(self, alone: Collection[str], now_s: float) -> list[str]:
        """Take the pools that seem to be nobody's; return those that have long been."""
        self._since_s = {pool: self._since_s.get(pool, now_s) for pool in alone}
        due = [pool for pool, since_s in self._since_s.items() if now_s - since_s >= ORPHAN_S]
        for pool in due:
            self._since_s[pool] = now_s + RELEASE_AGAIN_S - ORPHAN_S
        return sorted(due)
