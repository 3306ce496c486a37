"""A relay as a process: opens its parts and runs it, as ops asks."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector

from backends.bus.collector import BusCollector
from backends.bus.connect import AnyBus, open_bus
from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry
from backends.leases.obeying import ObeyingRegistry
from backends.leases.redis import RedisRegistry
from backends.links.flow import FAR_DIALER_WINDOW
from backends.links.node_links import NodeLinks
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from proto.identity import NodeIdentity
from relay.hot.metrics import HotCollector
from relay.metrics import RelayCollector
from relay.regions.figures import RegionCollector
from relay.relay import Relay
from relay.settings import HotBus, Settings
from relay.status import status

RESIGN_S = 1.0
"""How long a stopping relay waits for the store; its lease runs out by itself as well."""

log = structlog.get_logger()


class RelayService:
    """A running relay as ops sees it."""

    def __init__(self, relay: Relay, collectors: Sequence[Collector] = ()) -> None:
        self._relay = relay
        self._collectors = collectors

    def ready(self) -> bool:
        """Return true: who has this listens already."""
        return True

    def status(self) -> dict[str, Any]:
        """Return what the relay is doing, as JSON-able values."""
        return status(self._relay)

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload; see `ops.roles.Service`."""
        self._relay.reconfigured(settings)

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors for `/metrics`."""
        relay, forwarding = self._relay, self._relay.forwarding
        hot = HotCollector(forwarding.table.hot, forwarding.hot, relay.hot)
        regions = RegionCollector(relay.region_links, forwarding.crossing, relay.arrivals)
        return (RelayCollector(relay), hot, regions, *self._collectors)


async def run(
    settings: Settings,
    node: NodeIdentity,
    *,
    stopping: trio.Event,
    task_status: trio.TaskStatus[RelayService] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a relay until `stopping`, or until it is ordered to drain; then take its leave.

    Raises `OSError` where it can't listen, `CertificateError` for a certificate that can't be used
    or is another node's, and what `open_bus` does. A store or bus that is away is
    no hindrance.
    """
    links = NodeLinks(settings.tls, "relay", node.node, FAR_DIALER_WINDOW)
    relay = Relay(settings, node, links)
    async with _opened(settings.bus) as bus, trio.open_nursery() as nursery:
        if bus is not None:
            relay.carry_hot(bus)
        own = [*links.collectors(), *([BusCollector(bus.counters)] if bus else [])]
        service = RelayService(relay, own)
        gone = trio.Event()
        nursery.start_soon(links.run)
        nursery.start_soon(relay.run)
        async with trio.open_nursery() as presence:
            if settings.store_url:
                presence.start_soon(_be_known, settings, node, service, stopping, gone)
            task_status.started(service)
            await stopping.wait()
            await relay.leave()
            gone.set()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _opened(settings: HotBus) -> AsyncIterator[AnyBus | None]:
    """Open the bus of the hot way, if there is one."""
    if settings.kind == "none":
        log.info("no_hot_way", reason="relay.bus.kind is none: nodes ask other relays")
        yield None
    else:
        async with open_bus(settings) as bus:
            yield bus


async def _be_known(
    settings: Settings,
    node: NodeIdentity,
    service: RelayService,
    stopping: trio.Event,
    gone: trio.Event,
) -> None:
    """Say in the store that this relay lives, and when it is `gone` that it does no longer; an
    order to drain that is found there sets `stopping`."""
    async with open_redis(StoreSettings(url=settings.store_url)) as redis:
        registry = ObeyingRegistry(RedisRegistry(redis), stopping)
        while not gone.is_set():
            await _renew(registry, node, service)
            with trio.move_on_after(settings.lease_s):
                await gone.wait()
        with trio.move_on_after(RESIGN_S):
            await _resign(registry, node)


async def _renew(registry: Registry, node: NodeIdentity, service: RelayService) -> None:
    lease = NodeLease(
        node.node, "relay", node.region, node.incarnation, node.http_url, service.status()
    )
    try:
        await registry.renew(lease)
    except StoreUnavailableError as error:
        log.warning("lease_not_renewed", reason=str(error))


async def _resign(registry: Registry, node: NodeIdentity) -> None:
    try:
        await registry.resign(node.node, node.incarnation)
    except StoreUnavailableError as error:
        log.warning("lease_not_resigned", reason=str(error))
