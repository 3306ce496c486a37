"""Who lives, as logic last read it from the leases."""

import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry


class Living:
    """The living nodes, read anew each second. While the registry has not settled, or does not
    answer, absence means nothing: `settled` is false and the last view stays."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._read_at = float("-inf")
        self.settled = False
        self.lives: frozenset[tuple[str, str]] = frozenset()
        """The (node, incarnation)s of all roles."""
        self.logic: tuple[str, ...] = ()
        """The names of the logic nodes."""

    async def keep(self, interval_s: float) -> None:
        """Read every `interval_s` seconds until cancelled."""
        while True:
            await self.refresh()
            await trio.sleep(interval_s)

    async def refresh(self) -> None:
        """Read now."""
        # Before the read: what changes during it may be missing from it.
        read_at = trio.current_time()
        try:
            leases = await self._registry.living()
            self.settled = await self._registry.settled()
        except StoreUnavailableError:
            # The store's client has logged it; the next second tries again.
            self.settled = False
        else:
            self._take(leases)
            self._read_at = read_at

    def age_s(self) -> float:
        """Return for how many seconds the view has stood."""
        return trio.current_time() - self._read_at

    def _take(self, leases: list[NodeLease]) -> None:
        self.lives = frozenset((lease.node, lease.incarnation) for lease in leases)
        self.logic = tuple(sorted(lease.node for lease in leases if lease.role == "logic"))
