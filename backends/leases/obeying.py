"""Obeying orders: the one way in which a node of any role learns that it is to drain."""

import structlog
import trio

from backends.leases.interface import Lost, NodeLease, Orders, Registry

log = structlog.get_logger()


class ObeyingRegistry:
    """A `Registry` for a node's own lease: an order to drain sets `stopping`, as SIGTERM does.

    Nodes renew each second, so an order is obeyed within one.
    """

    def __init__(self, registry: Registry, stopping: trio.Event) -> None:
        self._registry = registry
        self._stopping = stopping

    async def renew(self, lease: NodeLease) -> Orders:
        """See `Registry`."""
        orders = await self._registry.renew(lease)
        if orders.drain and not self._stopping.is_set():
            log.info("drain_ordered")
            self._stopping.set()
        return orders

    async def order_drain(self, node: str) -> str | None:
        """See `Registry`."""
        return await self._registry.order_drain(node)

    async def resign(self, node: str, incarnation: str) -> None:
        """See `Registry`."""
        await self._registry.resign(node, incarnation)

    async def living(self, role: str = "") -> list[NodeLease]:
        """See `Registry`."""
        return await self._registry.living(role)

    async def living_in(self, pool: str, most: int) -> list[NodeLease]:
        """See `Registry`."""
        return await self._registry.living_in(pool, most)

    async def lost(self) -> list[Lost]:
        """See `Registry`."""
        return await self._registry.lost()

    async def settled(self) -> bool:
        """See `Registry`."""
        return await self._registry.settled()
