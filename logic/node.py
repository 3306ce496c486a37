"""A logic node at work: the parts it is made of, put together and run."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease
from backends.push.connect import reconfigure_providers
from backends.token_keys.files import load_receipt_keyring
from logic.auth.wiring import Auth
from logic.counters import Counters
from logic.dispatch import Dispatch
from logic.instant_messages import InstantMessages
from logic.living import Living
from logic.metrics import LogicCollector
from logic.outgoing import Outgoing
from logic.parts import Parts
from logic.regions.at_home import at_home
from logic.regions.leases import LeasesHandler
from logic.regions.lives import LivesHandler
from logic.regions.routes import RoutesHandler
from logic.rooms.capacity import Capacity
from logic.rooms.likes_consumer import LikesConsumer
from logic.rooms.methods import room_methods
from logic.rooms.shard_duties import ShardDuties
from logic.rooms.totals import Totals
from logic.rooms.writer import RoomWriter
from logic.settings import Settings
from mesh.interface import Mesh
from mesh.lives import Lives
from mesh.metrics import LivesCollector, ServingCollector
from mesh.serving import Serving
from proto.envelopes import Envelope, Kind
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.regions import Regions
from proto.services import SERVICE_AUTH, SERVICE_IM, SERVICE_LOGIC, Method

LEASE_INTERVAL_S = 1.0
"""A third of a lease's time: one renewal may be lost."""
ANY_KEY = ""
log = structlog.get_logger()


class Logic:
    """One logic node, as ops sees it."""

    def __init__(
        self,
        settings: Settings,
        identity: NodeIdentity,
        parts: Parts,
        mesh: Mesh,
        collectors: Sequence[Collector] = (),
    ) -> None:
        self._identity = identity
        self._parts = parts
        self._mesh = mesh
        self._settings = settings
        self._collectors = collectors
        self._stopping = False
        self._known = False
        self.counters = Counters()
        self.outgoing = Outgoing(parts.bus, settings.outgoing_records)
        self._writer = RoomWriter(parts.room_log, self.outgoing, self.counters)
        own, regions = identity.region, settings.regions
        self.elsewhere = Lives(mesh, regions.others(own))
        self._living = Living(parts.registry, self.elsewhere)
        self._duties = ShardDuties(identity, parts.duties, self._living)
        self._totals = Totals(parts, self._duties, self._living, self._writer, self.counters)
        self._consumer = LikesConsumer(
            parts.bus,
            parts.likes,
            parts.changed,
            window_s=settings.likes_window_s,
            most=settings.bus.in_flight,
            counters=self.counters,
        )
        self.capacity = Capacity(settings.messages_per_s)
        self.receipts = load_receipt_keyring(settings.receipts)
        self.im = InstantMessages(settings, parts, self.outgoing, self._living)
        self.auth = Auth(settings, parts, mesh, own)
        self.dispatch = self._dispatch(settings.regions)
        handle = self.dispatch.handle
        self.serving = {
            SERVICE_LOGIC: Serving(mesh, handle, settings.bounds()),
            SERVICE_IM: Serving(mesh, handle, settings.im.bounds()),
            SERVICE_AUTH: Serving(mesh, handle, self.auth.bounds()),
        }

    def receive(self, relay: str, envelope: Envelope) -> None:
        """Take what a relay brings: requests."""
        if envelope.kind == Kind.REQUEST and envelope.key in self.serving:
            self.serving[envelope.key].receive(relay, envelope)

    def ready(self) -> bool:
        """Return whether requests can come in and be done: a relay is up, the store answers."""
        return bool(self._mesh.carriers(ANY_KEY)) and self._known and not self._stopping

    def status(self) -> dict[str, Any]:
        """Return what the node does now; it is also what its lease says."""
        turns = [serving.turns for serving in self.serving.values()]
        certificate = self._mesh.certificate
        return {
            "ready": self.ready(),
            "links": len(self._mesh.carriers(ANY_KEY)),
            "requests": {
                "at_work": sum(each.at_work for each in turns),
                "waiting": sum(each.waiting for each in turns),
            },
            "lane_depths": {each.label: self.outgoing.depth(each) for each in Priority},
            **self._parts.figures(),
            "drops": {
                f"full {way.name} {way.priority.label}": way.queue.dropped
                for way in self.outgoing.ways
                if way.queue.dropped
            },
            "published": sum(self.counters.published.values()),
            "shards": len(self._duties.held),
            "im": self.im.status(),
            "certificate": certificate and certificate._asdict(),
        }

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors of the node and of its outer parts."""
        own = LogicCollector(self.counters, self.outgoing, self.dispatch, self.capacity)
        serving = ServingCollector(self.serving)
        lives = LivesCollector(self.elsewhere)
        return [
            own,
            serving,
            lives,
            *self.im.collectors(),
            *self.auth.collectors(),
            *self._collectors,
        ]

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload; see `ops.roles.Service`. What may be refused comes first,
        so that a config with one bad file changes nothing."""
        push, receipts = settings.push, load_receipt_keyring(settings.receipts)
        reconfigure_providers(self._parts.providers, push.fcm, push.webhook)
        self.auth.reconfigured(settings.auth)
        self._mesh.reconfigured(settings.mesh)
        self._settings = settings
        self.receipts.replace(receipts)
        self._parts.urgent_limit.rate = settings.urgent_rate()
        self.capacity.per_s = settings.messages_per_s
        self.outgoing.reconfigured(settings.outgoing_records)
        self.im.reconfigured(settings)
        self.serving[SERVICE_LOGIC].reconfigured(settings.bounds())
        self.serving[SERVICE_IM].reconfigured(settings.im.bounds())

    async def run(self, stopping: trio.Event) -> None:
        """Work until `stopping`; then answer what was admitted and empty the way to the bus."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outgoing.run)
            nursery.start_soon(self.im.serve)
            nursery.start_soon(self._living.keep, LEASE_INTERVAL_S)
            nursery.start_soon(self.elsewhere.keep, LEASE_INTERVAL_S)
            nursery.start_soon(self._keep_lease)
            for serving in self.serving.values():
                await nursery.start(serving.run)
            async with trio.open_nursery() as background:
                background.start_soon(self._consumer.run)
                background.start_soon(self._totals.run)
                background.start_soon(self.im.run)
                background.start_soon(self.auth.run)
                await stopping.wait()
                self._stopping = True
                background.cancel_scope.cancel()
            for serving in self.serving.values():
                await serving.drain()
            await self.im.drained()
            await self.outgoing.drained()
            nursery.cancel_scope.cancel()
        await self._resign()

    def _dispatch(self, regions: Regions) -> Dispatch:
        rooms = room_methods(
            lambda: self._settings,
            self.receipts,
            self._parts,
            self._writer,
            self._living,
            self.capacity,
            self.counters,
        )
        own = self._identity.region
        here = {method: at_home(handle, regions, own) for method, handle in rooms.items()}
        between = {
            Method.LIVES: LivesHandler(self._living).handle,
            Method.LEASES: LeasesHandler(self._parts.registry).handle,
            Method.ROUTES: RoutesHandler(self._parts.routes, regions).handle,
        }
        return Dispatch({**here, **between, **self.im.methods(), **self.auth.methods()})

    async def _keep_lease(self) -> None:
        while True:
            try:
                await self._parts.registry.renew(self._lease())
                self._known = True
            except StoreUnavailableError as error:
                if self._known:
                    log.warning("lease_not_renewed", reason=str(error))
                self._known = False
            await trio.sleep(LEASE_INTERVAL_S)

    async def _resign(self) -> None:
        try:
            await self._duties.release()
            await self._parts.registry.resign(self._identity.node, self._identity.incarnation)
        except StoreUnavailableError as error:
            log.warning("lease_not_resigned", reason=str(error))  # It runs out by itself.

    def _lease(self) -> NodeLease:
        me = self._identity
        return NodeLease(me.node, "logic", me.region, me.incarnation, me.http_url, self.status())
