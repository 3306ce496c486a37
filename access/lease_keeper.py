"""Renews the node's lease, and has its routes written again when the store may have lost them."""

from collections.abc import Callable

import structlog
import trio

from access.route_keeper import RouteKeeper
from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry

log = structlog.get_logger()

REWRITE_EVERY_S = 6 * 3600.0
"""Routes outlive their writing by a day; a connection may last longer."""


class LeaseKeeper:
    """Says that the node lives."""

    def __init__(
        self, registry: Registry, lease: Callable[[], NodeLease], routes: RouteKeeper
    ) -> None:
        self._registry = registry
        self._lease = lease
        self._routes = routes
        self._was_settled = True
        self._rewrite_at = trio.current_time() + REWRITE_EVERY_S
        self.held = False
        """Whether the last renewal succeeded."""

    async def run(self, every_s: float) -> None:
        """Renew for ever."""
        while True:
            await self.renew()
            await trio.sleep(every_s)

    async def renew(self) -> None:
        """Renew once; with the store away the next time does it."""
        try:
            await self._registry.renew(self._lease())
            settled = await self._registry.settled()
        except StoreUnavailableError as error:
            if self.held:
                log.warning("lease_not_renewed", error=str(error))
            self.held, self._was_settled = False, True
            return
        if not self.held:
            log.info("lease_renewed")
        self.held = True
        self._note(settled)

    async def resign(self) -> None:
        """Give the lease up: the node's routes count no more."""
        lease = self._lease()
        try:
            await self._registry.resign(lease.node, lease.incarnation)
        except StoreUnavailableError as error:
            log.warning("lease_not_resigned", error=str(error))

    def _note(self, settled: bool) -> None:
        now = trio.current_time()
        lost = self._was_settled and not settled
        self._was_settled = settled
        if lost or now >= self._rewrite_at:
            self._rewrite_at = now + REWRITE_EVERY_S
            self._routes.write_all_again()
