"""Puts an access node's parts together, on whatever edge, mesh and store it is given."""

from collections.abc import Callable
from functools import partial

import trio

from access.alarms import Alarms
from access.announcements import Announcements
from access.census import Census
from access.census_reports import CensusReports
from access.counters import AccessCounters
from access.credentials import Credentials
from access.edge.interface import Connection, Edge, Handler
from access.expiry import Expiry
from access.hellos import Hellos
from access.im.messaging import Messaging
from access.inbound import Inbound
from access.joins import Joins
from access.kicks import Kicks
from access.lease_keeper import LeaseKeeper
from access.like_reports import ReportsByHome
from access.likes_by_home import LikesByHome
from access.limits import session_limits, stream_limits
from access.mesh_routes import MeshRoutes
from access.moderation.requests import Moderations
from access.moves.moving import Moving
from access.publishes import Fetches, Likings, Publishes
from access.refreshes import Refreshes
from access.replies import Replies
from access.revoking import Revoking
from access.room import Room
from access.room_stream import Surroundings
from access.rooms import Rooms
from access.route_keeper import RouteKeeper
from access.sessions import Parts, Sessions
from access.settings import Settings
from access.status import NodeStatus
from access.stream import CursorCounters
from access.tasks import Tasks
from access.upstream import Upstream
from access.user_connections import UserConnections
from access.user_rates import UserRates
from access.users import Deliveries, SeenOnce, Users
from backends.leases.interface import NodeLease, Registry
from backends.one_use.interface import OneUse
from backends.revocations.following import Following
from backends.revocations.interface import Revocations
from backends.revocations.known import Known
from backends.routes.interface import Routes, RouteWriter
from backends.token_keys.files import load_keyring
from mesh.concurrency import Concurrency
from mesh.homes import Homes
from mesh.interface import Mesh, Receive
from proto.envelopes import Envelope
from proto.identity import NodeIdentity
from proto.ids import RandomBits, new_id


class AccessNode:
    """Everything above the edge. It is the edge's handler and the mesh's receiver.

    Make it inside the nursery that its tasks shall live in, then `run` it.
    """

    def __init__(
        self,
        settings: Settings,
        identity: NodeIdentity,
        nursery: trio.Nursery,
        *,
        edge_of: Callable[[Handler], Edge],
        mesh_of: Callable[[Receive], Mesh],
        routes: Routes,
        registry: Registry,
        one_use: OneUse,
        revocations: Revocations,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self.settings = settings
        self.keyring = load_keyring(settings.tokens)
        self.identity = identity
        self.counters = AccessCounters()
        self.cursor_counters = (CursorCounters(), CursorCounters(), CursorCounters())
        self.alarms = Alarms()
        self.tasks = Tasks(nursery, self.counters)
        self.chat = Concurrency(settings.chat_under_way, settings.chat_target_ms / 1000)
        self.users = Users()
        self.census = Census()
        self.likes = LikesByHome(settings.regions, identity.incarnation)
        self.url = ""
        """Where clients connect; set by whoever listens for them, when it does."""
        self._now_ms = now_ms
        self._new_id = partial(new_id, random_bits)
        self.edge = edge_of(self)
        self.mesh = mesh_of(self.receive)
        self.upstream = Upstream(self.mesh, self.counters, self._new_id)
        self.moving = self._moving(registry, one_use, random, random_bits)
        self.rooms = self._rooms(random)
        away = self._users_are_away()
        self.rates = UserRates(settings.user.frames_rate(), settings.user.joins_rate())
        self.user_connections = UserConnections(
            identity,
            self.users,
            None if away else routes,
            registry,
            settings.user.max_connections,
        )
        writer: RouteWriter = MeshRoutes(self.mesh, identity.region) if away else routes
        self.routes = RouteKeeper(writer, identity.node, identity.incarnation, self.counters)
        self.lease = LeaseKeeper(registry, self.lease_now, self.routes)
        flush_s = settings.room.like_flush_ms / 1000
        self.like_reports = ReportsByHome(
            self.likes, self.mesh, self.counters, self._new_id, flush_s=flush_s
        )
        self.census_reports = CensusReports(
            self.census, self.rooms, self.mesh, self.counters, self._new_id, settings.regions
        )
        self.revoked = Known()
        self.revoking = Revoking(self.users, self.revoked)
        self._following = Following(revocations, self.revoked, now_ms, self.revoking.learned)
        self.replies = Replies(self.counters, self.tasks)
        self.messaging = Messaging(
            settings.im,
            self.mesh,
            self.alarms,
            self.tasks,
            self.replies,
            new_trace=self._new_id,
            random=random,
        )
        self.expiry = Expiry(
            self.users,
            self.counters,
            warning_s=settings.client.expiry_warning_s,
            now_s=self._now_s,
        )
        self.sessions = self._sessions()
        deliveries = Deliveries(self.users, self.messaging, self.counters, SeenOnce())
        self.announcements = Announcements(self.users, self.counters, SeenOnce())
        kicks = Kicks(self.users, self.counters, SeenOnce())
        self._inbound = Inbound(
            self.rooms, self.messaging, deliveries, self.announcements, kicks, self.counters
        )
        self.status = self._status()

    def _users_are_away(self) -> bool:
        """Say whether users are at home in another region, and their routes with them."""
        homes = Homes(self.settings.regions, self.identity.region)
        return bool(homes.elsewhere(self.settings.regions.home_of_users))

    def _moving(
        self,
        registry: Registry,
        one_use: OneUse,
        random: Callable[[], float],
        random_bits: RandomBits,
    ) -> Moving:
        return Moving(
            self.settings,
            self.identity,
            self.mesh,
            registry,
            one_use,
            self.alarms,
            self.counters,
            room_of=self._room,
            everybody=lambda: (each.state for each in self.users.everybody()),
            at_home=self._is_at_home,
            now_s=self._now_s,
            random=random,
            random_bits=random_bits,
        )

    def _now_s(self) -> float:
        return self._now_ms() / 1000

    def _room(self, name: str) -> Room | None:
        return self.rooms.get(name)

    def _is_at_home(self, room: str) -> bool:
        return self.settings.regions.home_of_room(room) in ("", self.identity.region)

    def _rooms(self, random: Callable[[], float]) -> Rooms:
        around = Surroundings(
            edge=self.edge,
            alarms=self.alarms,
            tasks=self.tasks,
            upstream=self.upstream,
            rules=self.moving.rules,
            counters=self.counters,
            cursor_counters=self.cursor_counters,
            limits=stream_limits(self.settings.room),
            now_ms=self._now_ms,
            random=random,
        )
        return Rooms(self.mesh, around, self.census, self.likes, self.settings.room)

    def _sessions(self) -> Sessions:
        replies = self.replies
        credentials = Credentials(self.keyring, self.revoked, self._now_s)
        joins = Joins(self.rooms, self.census, self.mesh, replies, self.rates)
        hellos = Hellos(
            self.identity.node,
            joins,
            self.messaging.opening,
            self.users,
            self.routes,
            self.moving.tickets,
            replies,
            credentials=credentials,
            expiry=self.expiry,
            connections=self.user_connections,
            heartbeat_ms=round(self.settings.edge.heartbeat_s * 1000),
            route_wait_s=self.settings.route_wait_s,
            new_id=self._new_id,
        )
        parts = Parts(
            hellos=hellos,
            refreshes=Refreshes(credentials, self.expiry, self.rooms, replies, self.counters),
            joins=joins,
            publishes=Publishes(self.mesh, replies, self.chat),
            likings=Likings(self.likes, self.counters, replies),
            fetches=Fetches(self.upstream, replies),
            moderations=Moderations(self.mesh, replies),
            messaging=self.messaging,
            replies=replies,
            users=self.users,
            rates=self.rates,
            routes=self.routes,
        )
        return Sessions(
            parts,
            session_limits(self.settings.client),
            self.alarms,
            self.counters,
            new_trace=self._new_id,
            now_ms=self._now_ms,
        )

    def _status(self) -> NodeStatus:
        return NodeStatus(
            max_connections=self.settings.edge.max_connections,
            http_url=self.identity.http_url,
            counters=self.counters,
            cursor_counters=self.cursor_counters,
            users=self.users,
            mesh=self.mesh,
            moving=self.moving,
            rooms=self.rooms,
            routes=self.routes,
            messaging=self.messaging,
            sessions=self.sessions,
        )

    # -- a config that has changed

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload, those of the edge excepted.

        Raises `ValueError`, and changes nothing, for token keys that can't be used.
        """
        keyring = load_keyring(settings.tokens)
        self.mesh.reconfigured(settings.mesh)
        self.moving.reconfigured(settings)
        self.keyring.replace(keyring)
        self.settings = settings
        self.chat.reconfigured(settings.chat_under_way, settings.chat_target_ms / 1000)
        self.rooms.settings = settings.room
        self.rates.reconfigured(settings.user.frames_rate(), settings.user.joins_rate())
        self.user_connections.most = settings.user.max_connections
        self.messaging.devices.max_devices = settings.im.max_devices
        self.expiry.warning_s = settings.client.expiry_warning_s
        self.sessions.reconfigured(session_limits(settings.client), settings.route_wait_s)
        self.status.max_connections = settings.edge.max_connections

    # -- `access.edge.interface.Handler`

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.sessions.opened(connection)

    def received(self, connection: Connection, text: bytes) -> None:
        """See `Handler`."""
        self.sessions.received(connection, text)

    def closed(self, connection: Connection, code: int) -> None:
        """See `Handler`."""
        self.sessions.closed(connection, code)

    # -- what the mesh brings

    def receive(self, relay: str, envelope: Envelope) -> None:
        """See `mesh.interface.Receive`."""
        self._inbound.receive(relay, envelope)

    # -- its life

    async def run(self) -> None:
        """Run all that goes on by itself, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.alarms.run)
            nursery.start_soon(self.expiry.run)
            nursery.start_soon(self.routes.run)
            nursery.start_soon(self._following.run)
            nursery.start_soon(self.announcements.run)
            nursery.start_soon(self.lease.run, self.settings.lease_s)
            nursery.start_soon(self.like_reports.run)
            nursery.start_soon(self.messaging.run)
            nursery.start_soon(self.moving.run)
            nursery.start_soon(self.census_reports.run, self.settings.room.census_ms / 1000)

    def lease_now(self) -> NodeLease:
        """Return the node's lease as it is to be renewed."""
        me = self.identity
        return NodeLease(me.node, "access", me.region, me.incarnation, self.url, self.status.now())
