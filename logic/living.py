"""Who lives, as logic last read it from the leases."""

import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry
from mesh.lives import Lives

Life = tuple[str, str]
"""A node and its incarnation."""


class Living:
    """The living nodes, read anew each second. While the registry has not settled, or does not
    answer, absence means nothing: `settled` is false and the last view stays. `elsewhere` knows
    the access nodes of other regions."""

    def __init__(self, registry: Registry, elsewhere: Lives | None = None) -> None:
        self._registry = registry
        self._elsewhere = elsewhere
        self._read_at = float("-inf")
        self._here: frozenset[Life] = frozenset()
        self.settled = False
        self.access: frozenset[Life] = frozenset()
        """The access nodes of this region."""
        self.logic: tuple[str, ...] = ()
        """The names of the logic nodes."""

    @property
    def lives(self) -> frozenset[Life]:
        """The nodes of all roles here, and the access nodes elsewhere."""
        if self._elsewhere is None or not self._elsewhere.incarnations:
            return self._here
        return self._here | self._elsewhere.incarnations.items()

    def unsettled_regions(self) -> frozenset[str]:
        """Return the other regions whose nodes' absence means nothing now."""
        return self._elsewhere.unsettled() if self._elsewhere else frozenset()

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
        self._here = frozenset((lease.node, lease.incarnation) for lease in leases)
        self.access = frozenset(
            (lease.node, lease.incarnation) for lease in leases if lease.role == "access"
        )
        self.logic = tuple(sorted(lease.node for lease in leases if lease.role == "logic"))
