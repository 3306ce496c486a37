"""One router: the bus consumers, the heads, the lease and the gateway, over outer parts."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector
from starlette.routing import BaseRoute

from backends.bus.interface import Bus
from backends.bus.seen import Seen
from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore
from backends.idempotency.interface import Idempotency
from backends.leases.interface import Duties, NodeLease, Registry
from backends.likes.interface import Census
from backends.provisioner.connect import reconfigure_provisioner
from backends.provisioner.interface import Provisioner
from backends.revocations.interface import Revocations
from backends.room_log.interface import RoomLog
from backends.routes.interface import Routes
from mesh.interface import Mesh
from mesh.lives import Lives
from mesh.metrics import LivesCollector
from proto.identity import NodeIdentity
from router.consume import Consumer
from router.counters import TOPICS, Counters
from router.deliver import Deliverer
from router.dispatch import Dispatch
from router.gateway.gateway import Gateway, Surroundings
from router.gateway.limits import LimitOf
from router.heads import ALL_RELAYS_KEY, Heads
from router.heat.counters import HeatCounters
from router.heat.metrics import HeatCollector
from router.heat.telling import Telling
from router.heat.wiring import make_controller
from router.metrics import RouterCollector
from router.presence import Presence
from router.settings import Settings

LEASE_INTERVAL_S = 1.0
"""A third of a lease's time: one renewal may be lost."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """The outer parts that a router works with, their collectors, and the links' figures."""

    mesh: Mesh
    bus: Bus
    routes: Routes
    registry: Registry
    room_log: RoomLog
    heat: HeatStore
    census: Census
    duties: Duties
    revocations: Revocations
    idempotency: Idempotency
    limit_of: LimitOf
    provisioner: Provisioner | None = None
    collectors: Sequence[Collector] = ()
    lane_depths: Callable[[], dict[str, int]] = dict
    figures: Callable[[], dict[str, Any]] = dict


class Router:
    """One router, as ops sees it."""

    def __init__(self, settings: Settings, node: NodeIdentity, parts: Parts) -> None:
        self._settings = settings
        self._node = node
        self._parts = parts
        self._stopping = False
        self.counters = Counters()
        self.elsewhere = Lives(parts.mesh, settings.regions.others(node.region))
        self.presence = Presence(parts.registry, self.elsewhere)
        telling = Telling()
        self._heads = Heads(
            parts.room_log, parts.mesh, self.presence, node.node, self.counters, telling
        )
        self.heat_counters = HeatCounters()
        self._heat = make_controller(
            settings.heat,
            node,
            self.presence,
            lambda: self._heads.active,
            telling,
            self.heat_counters,
            _now_ms,
            store=parts.heat,
            census=parts.census,
            duties=parts.duties,
            provisioner=parts.provisioner,
        )
        self._gateway = Gateway(
            settings,
            node,
            self.presence,
            Surroundings(
                mesh=parts.mesh,
                registry=parts.registry,
                heat=parts.heat,
                revocations=parts.revocations,
                idempotency=parts.idempotency,
                limit_of=parts.limit_of,
            ),
        )
        self._deliverer = self._make_deliverer()
        self._consumers = self._make_consumers()

    def ready(self) -> bool:
        """Return whether records flow: every topic is consumed and a relay is up."""
        consuming = all(consumer.consuming for consumer in self._consumers)
        return consuming and self._relays_up() > 0 and not self._stopping

    def status(self) -> dict[str, Any]:
        """Return what the router does now; it is also what its lease says."""
        counters, certificate = self.counters, self._parts.mesh.certificate
        return {
            "ready": self.ready(),
            "links": self._relays_up(),
            "lane_depths": self._parts.lane_depths(),
            **self._parts.figures(),
            "lag": {topic.value: counters.lag[topic] for topic in TOPICS},
            "in_flight": {topic.value: counters.in_flight[topic] for topic in TOPICS},
            "drops": {"heads bulk": counters.heads_dropped},
            "routed": {mode.value: count for mode, count in counters.routed.items()},
            "hot_rooms": self._heat.status(),
            "certificate": certificate and certificate._asdict(),
            "heat": self._heat.hottest(),
        }

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors of the router and the gateway."""
        own = (RouterCollector(self.counters, self._gateway), LivesCollector(self.elsewhere))
        return [*own, HeatCollector(self.heat_counters), *self._parts.collectors]

    def routes(self) -> Sequence[BaseRoute]:
        """Return the gateway's routes."""
        return self._gateway.routes

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload; see `ops.roles.Service`. The gateway, whose keys may
        be of no use, comes first, so that then nothing changes."""
        self._gateway.reconfigured(settings)
        self._parts.mesh.reconfigured(settings.mesh)
        self._heat.reconfigured(settings.heat)
        self._deliverer.costs = settings.costs
        reconfigure_provisioner(self._parts.provisioner, settings.provisioner)

    async def run(self, stopping: trio.Event) -> None:
        """Work until `stopping`, then finish what was taken from the bus."""
        async with trio.open_nursery() as keeping:
            keeping.start_soon(self.presence.keep, LEASE_INTERVAL_S)
            keeping.start_soon(self.elsewhere.keep, LEASE_INTERVAL_S)
            keeping.start_soon(self._keep_lease)
            keeping.start_soon(self._gateway.run)
            keeping.start_soon(self._heads.run)
            keeping.start_soon(self._heat.run)
            async with trio.open_nursery() as consuming:
                for consumer in self._consumers:
                    consuming.start_soon(consumer.run, stopping)
                await stopping.wait()
                self._stopping = True
            keeping.cancel_scope.cancel()
        await self._resign()

    def _make_deliverer(self) -> Deliverer:
        return Deliverer(
            Dispatch(self._parts.mesh, self.counters),
            self._parts.routes,
            self.presence,
            self._relays_up,
            self._settings.costs,
            self.counters,
            _now_ms,
        )

    def _make_consumers(self) -> list[Consumer]:
        settings, bus = self._settings, self._parts.bus
        return [
            Consumer(
                topic,
                bus,
                self._deliverer,
                Seen(settings.dedup_age_s, settings.dedup_ids),
                self.counters,
            )
            for topic in TOPICS
        ]

    def _relays_up(self) -> int:
        return len(self._parts.mesh.carriers(ALL_RELAYS_KEY))

    async def _keep_lease(self) -> None:
        while True:
            try:
                await self._parts.registry.renew(self._lease())
            except StoreUnavailableError as error:
                log.warning("lease_not_renewed", error=str(error))
            self._gateway.tick()
            await trio.sleep(LEASE_INTERVAL_S)

    async def _resign(self) -> None:
        try:
            await self._heat.resign()
            await self._parts.registry.resign(self._node.node, self._node.incarnation)
        except StoreUnavailableError as error:
            log.warning("lease_not_resigned", error=str(error))

    def _lease(self) -> NodeLease:
        node = self._node
        url = node.http_url
        return NodeLease(node.node, "router", node.region, node.incarnation, url, self.status())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
