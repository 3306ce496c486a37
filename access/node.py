"""Puts an access node's parts together, on whatever edge, mesh and store it is given."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
import trio

from access.alarms import Alarms
from access.census import Census
from access.census_reports import CensusReports
from access.counters import AccessCounters
from access.edge.interface import Connection, Edge, Handler, Skipped
from access.hellos import Hellos
from access.im.hot_groups import KEY_PREFIX
from access.im.messaging import Messaging
from access.joins import Joins
from access.lease_keeper import LeaseKeeper
from access.like_reports import LikeReports
from access.likes_by_home import LikesByHome
from access.mesh_routes import MeshRoutes
from access.moves.moving import Moving
from access.publishes import Fetches, Likings, Publishes
from access.replies import Replies
from access.room import Room
from access.room_stream import StreamLimits, Surroundings
from access.rooms import Rooms
from access.route_keeper import RouteKeeper
from access.session import SessionLimits
from access.sessions import Parts, Sessions
from access.settings import ClientSettings, RoomSettings, Settings
from access.stream import CursorCounters, RepairRules
from access.tasks import Tasks
from access.upstream import Upstream
from access.users import Deliveries, SeenOnce, Users
from backends.leases.interface import NodeLease, Registry
from backends.one_use.interface import OneUse
from backends.routes.interface import RouteWriter
from mesh.concurrency import Concurrency
from mesh.homes import Homes
from mesh.interface import Mesh, Receive
from proto import server_frames
from proto.envelopes import Envelope, Kind
from proto.identity import NodeIdentity
from proto.ids import RandomBits, new_id
from proto.priorities import LABELS, Priority

log = structlog.get_logger()

ANY_KEY = ""
"""Every relay that is up carries it, in some place."""
DEDUP_ENTRIES = 50_000
DEDUP_AGE_S = 60.0
"""Direct messages are recognised for so long: longer than a bus takes to deliver again."""


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
        routes: RouteWriter,
        registry: Registry,
        one_use: OneUse,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self.settings = settings
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
        self.lane_depths: Callable[[], dict[str, int]] = dict
        """How many envelopes wait for relays; set by whoever knows the links."""
        self.thinned: Callable[[], Sequence[int]] = tuple
        """How many messages were taken out of slow clients' queues, by priority; set likewise."""
        self._now_ms = now_ms
        self._new_id = partial(new_id, random_bits)
        self.edge = edge_of(self)
        self.mesh = mesh_of(self.receive)
        self.upstream = Upstream(self.mesh, self.counters, self._new_id)
        self.moving = self._moving(registry, one_use, random, random_bits)
        self.rooms = self._rooms(random)
        self.routes = RouteKeeper(
            self._route_writer(routes), identity.node, identity.incarnation, self.counters
        )
        self.lease = LeaseKeeper(registry, self.lease_now, self.routes)
        self.like_reports = [
            LikeReports(
                merger,
                self.mesh,
                self.counters,
                self._new_id,
                flush_s=settings.room.like_flush_ms / 1000,
                home=home,
            )
            for home, merger in self.likes.mergers.items()
        ]
        self.census_reports = CensusReports(
            self.census, self.rooms, self.mesh, self.counters, self._new_id, settings.regions
        )
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
        self.sessions = self._sessions()
        seen = SeenOnce(DEDUP_ENTRIES, DEDUP_AGE_S)
        self._deliveries = Deliveries(self.users, self.messaging, self.counters, seen)

    def _route_writer(self, routes: RouteWriter) -> RouteWriter:
        """Return `routes`, or the way to them where users are at home in another region."""
        homes = Homes(self.settings.regions, self.identity.region)
        away = homes.elsewhere(self.settings.regions.home_of_users)
        return MeshRoutes(self.mesh, self.identity.region) if away else routes

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
            now_s=lambda: self._now_ms() / 1000,
            random=random,
            random_bits=random_bits,
        )

    def _room(self, name: str) -> Room | None:
        return self.rooms.get(name)

    def _is_at_home(self, room: str) -> bool:
        return self.settings.regions.home_of_room(room) in ("", self.identity.region)

    def _rooms(self, random: Callable[[], float]) -> Rooms:
        room = self.settings.room
        around = Surroundings(
            edge=self.edge,
            alarms=self.alarms,
            tasks=self.tasks,
            upstream=self.upstream,
            rules=self.moving.rules,
            counters=self.counters,
            cursor_counters=self.cursor_counters,
            limits=stream_limits(room),
            now_ms=self._now_ms,
            random=random,
        )
        return Rooms(
            self.mesh,
            around,
            self.census,
            self.likes,
            linger_s=room.linger_s,
            max_rooms=room.max_rooms,
            join_timeout_s=room.join_s,
            max_joining=room.max_joining,
        )

    def _sessions(self) -> Sessions:
        replies = self.replies
        joins = Joins(self.rooms, self.census, self.mesh, replies)
        hellos = Hellos(
            self.identity.node,
            joins,
            self.messaging.opening,
            self.users,
            self.routes,
            self.moving.tickets,
            replies,
            token_secret=self.settings.token_secret,
            heartbeat_ms=round(self.settings.edge.heartbeat_s * 1000),
            route_wait_s=self.settings.route_wait_s,
            now_s=lambda: self._now_ms() / 1000,
            new_id=self._new_id,
        )
        parts = Parts(
            hellos=hellos,
            joins=joins,
            publishes=Publishes(self.mesh, replies, self.chat),
            likings=Likings(self.likes, self.counters, replies),
            fetches=Fetches(self.upstream, replies),
            messaging=self.messaging,
            replies=replies,
            users=self.users,
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
        if envelope.kind == Kind.ROOM:
            if envelope.key.startswith(KEY_PREFIX):
                self.counters.bad_envelopes += not self.messaging.hot_groups.receive(envelope)
            else:
                self.rooms.receive_message(envelope)
        elif envelope.kind == Kind.HEADS:
            self.rooms.receive_heads(envelope)
        elif envelope.kind == Kind.USERS:
            self._deliveries.receive(envelope, trio.current_time())
        else:
            self.counters.bad_envelopes += 1
            log.warning("unexpected_envelope", relay=relay, kind=envelope.kind)

    # -- its life

    async def run(self) -> None:
        """Run all that goes on by itself, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.alarms.run)
            nursery.start_soon(self.routes.run)
            nursery.start_soon(self.lease.run, self.settings.lease_s)
            for reports in self.like_reports:
                nursery.start_soon(reports.run)
            nursery.start_soon(self.messaging.run)
            nursery.start_soon(self.moving.run)
            nursery.start_soon(self.census_reports.run, self.settings.room.census_ms / 1000)

    async def drain_likes(self, within_s: float) -> None:
        """Wait, at most `within_s`, until all likes are reported."""
        async with trio.open_nursery() as nursery:
            for reports in self.like_reports:
                nursery.start_soon(reports.drain, within_s)

    def lease_now(self) -> NodeLease:
        """Return the node's lease as it is to be renewed."""
        me = self.identity
        return NodeLease(me.node, "access", me.region, me.incarnation, self.url, self.status())

    def status(self) -> dict[str, Any]:
        """Return what the node is doing, as JSON-able values."""
        counters = self.counters
        return {
            "draining": self.sessions.draining,
            **self.moving.status(),
            "connections": self.sessions.connections,
            "max_connections": self.settings.edge.max_connections,
            "users": len(self.users),
            "rooms": self.rooms.with_members,
            "rooms_open": len(self.rooms),
            "links": len(self.mesh.carriers(ANY_KEY)),
            "lane_depths": self.lane_depths(),
            "pending": by_label(self.rooms.pending),
            "drops": {f"{why} {LABELS[p]}": n for (why, p), n in sorted(counters.drops.items())},
            "skipped": self._skipped(),
            "deliveries": by_label(counters.deliveries),
            "routes_waiting": self.routes.waiting,
            "likes": counters.likes_in,
            "im": self.messaging.status(),
            "http": self.identity.http_url,
        }

    def _skipped(self) -> dict[str, int]:
        """Messages that members were told of as skipped, or that slow ones were, by priority."""
        thinned = self.thinned() or (0, 0, 0)
        pairs = zip(self.cursor_counters, thinned, strict=True)
        return by_label([cursors.skipped + slow for cursors, slow in pairs])


def encode_skipped(skipped: Skipped) -> bytes:
    """Return the message that tells a slow client what was thinned."""
    frame = server_frames.skipped(
        skipped.stream, skipped.priority, skipped.epoch, skipped.first_seq, skipped.last_seq
    )
    return server_frames.message([frame])


def by_label(numbers: list[int]) -> dict[str, int]:
    """Return a list indexed by priority as a mapping of labels."""
    return {priority.label: numbers[priority] for priority in Priority}


def stream_limits(room: RoomSettings) -> tuple[StreamLimits, StreamLimits, StreamLimits]:
    """Return the bounds of each priority's streams."""

    def limits(priority: Priority) -> StreamLimits:
        bulk = priority is Priority.BULK
        repair = RepairRules(
            repaired=not bulk,
            reorder_s=(room.bulk_reorder_ms if bulk else room.reorder_ms) / 1000,
            tail_s=room.tail_ms / 1000,
            max_held=room.max_held,
        )
        return StreamLimits(
            max_tick_s=0.0 if priority is Priority.URGENT else room.tick_ms / 1000,
            tick_ratio=room.tick_ratio,
            ring_frames=room.ring_frames,
            ring_bytes=room.ring_bytes,
            max_pending=room.max_pending,
            max_pending_bytes=room.max_round_bytes * 64,
            max_round_bytes=room.max_round_bytes,
            repair=repair,
        )

    return limits(Priority.URGENT), limits(Priority.NORMAL), limits(Priority.BULK)


def session_limits(client: ClientSettings) -> SessionLimits:
    """Return the bounds of a connection."""
    return SessionLimits(
        hello_s=client.hello_s,
        frames_per_s=client.frames_per_s,
        frames_burst=client.frames_burst,
        max_refused_frames=client.max_refused_frames,
        max_bad_frames=client.max_bad_frames,
        strikes_window_s=client.strikes_window_s,
        max_rooms=client.max_rooms,
        max_in_flight=client.max_in_flight,
    )
