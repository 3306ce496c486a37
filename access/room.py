"""One room on this node: opened for its first member, closed a while after its last."""

from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import Protocol

import structlog
import trio

from access.catch_up import CatchUp, Seat
from access.edge.interface import Connection
from access.moderation.following import Following
from access.moderation.standing import RoomStanding
from access.room_stream import RoomStream, Surroundings
from access.starts import Starts, find_starts, positions
from access.totals import Totals
from mesh.interface import Mesh
from proto.client_requests import Position
from proto.errors import RequestError
from proto.headers import HeadsHeader, RoomHeader
from proto.moderation import ModerationPush
from proto.priorities import Priority
from proto.roles import HOST, MODERATOR
from proto.services import RoomCensus

log = structlog.get_logger()

MAX_EARLY = 1000
"""Messages kept while the heads are asked for; beyond it they are left to the repair."""
MAX_ENTERED = 5
MAX_STAFF = 100


class RoomState(Enum):
    """How far a room is."""

    OPENING = "opening"
    LIVE = "live"
    CLOSED = "closed"


class Removals(Protocol):
    """Sends members out: see `access.moderation.removals`."""

    def by_push(self, room: "Room", push: ModerationPush, /) -> None:
        """Remove whom `push` says."""

    def by_standing(self, room: "Room", /) -> None:
        """Remove all who are banned."""


class Room:
    """Members, three streams, and the way from opening to closed.

    Use: `await opened()`, `await starts(...)`, then in one synchronous step `entering`, the reply,
    `enter`. Between the first and the last of these hold it with `holds` += 1.
    """

    def __init__(self, name: str, mesh: Mesh, around: Surroundings, removals: Removals) -> None:
        self.name = name
        self.state = RoomState.OPENING
        self.seats: dict[int, Seat] = {}
        self.holds = 0
        """Joins under way: the room is not closed under them."""
        self.closes_at = 0.0
        """When the last leave wanted the room closed, in seconds of trio's clock."""
        self.entered_count = 0
        self.entered: list[str] = []
        self._staff: dict[int, tuple[str, str]] = {}
        self.streams: list[RoomStream] = []
        self._mesh = mesh
        self._around = around
        self._early: list[tuple[Priority, RoomHeader, bytes]] = []
        self._done = trio.Event()
        self._error: RequestError | None = None
        self._totals = Totals()
        self.standing = RoomStanding(around.now_ms)
        self._following = Following(
            name,
            self.standing,
            around.upstream,
            around.tasks,
            partial(removals.by_push, self),
            partial(removals.by_standing, self),
        )

    @property
    def in_use(self) -> bool:
        """Whether somebody is in the room or about to be."""
        return bool(self.seats) or self.holds > 0

    @property
    def epoch(self) -> str:
        """The epoch of the first stream that has one: they share it, and see it one by one."""
        return next((stream.epoch for stream in self.streams if stream.epoch), "")

    # -- its life

    async def open(self) -> None:
        """Announce the interest, wait until it is confirmed, then ask where the streams are.

        In this order: whatever is published after the heads were read finds the interest set.
        """
        self._mesh.want(self.name)
        try:
            await self._mesh.confirmed(self.name)
            heads = await self._heads()
        except RequestError as error:
            self._error = error
            self.close()
        else:
            self._start(heads)
        finally:
            self._done.set()

    async def _heads(self) -> HeadsHeader:
        heads = await self._around.upstream.heads(self.name)
        rule = heads.rule
        if rule is not None and await self._around.rules.on_its_way(rule):
            return await self._around.upstream.heads(self.name)
        return heads

    async def opened(self) -> None:
        """Wait until the room is live; raises the `RequestError` that it failed with."""
        await self._done.wait()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Withdraw the interest and let everything go."""
        self.state = RoomState.CLOSED
        self._mesh.unwant(self.name)
        self._around.rules.forget(self.name)
        self._following.close()
        for stream in self.streams:
            stream.close()

    def _start(self, heads: HeadsHeader) -> None:
        self._totals = Totals(heads.likes, heads.online)
        self.standing.replace(heads.standing)
        self.streams = [self._stream(priority, heads) for priority in Priority]
        self.state = RoomState.LIVE
        early, self._early = self._early, []
        for priority, header, frame in early:
            self.receive(priority, header, frame)
        log.info("room_opened", room=self.name, epoch=heads.epoch, heads=list(heads.seqs))

    def _stream(self, priority: Priority, heads: HeadsHeader) -> RoomStream:
        observe = self._following.observe if priority is Priority.URGENT else None
        seq = heads.seqs[priority]
        return RoomStream(self.name, priority, self._around, heads.epoch, seq, observe)

    # -- what the mesh brings

    def receive(self, priority: Priority, header: RoomHeader, frame: bytes) -> None:
        """Take a message of the room."""
        if self.state is RoomState.LIVE:
            if priority is Priority.BULK:
                self._totals.note(frame)
            self.streams[priority].receive(header, frame)
        elif len(self._early) < MAX_EARLY:
            self._early.append((priority, header, frame))
        else:
            self._around.counters.drops["early_full", priority] += 1

    def heads(self, heads: HeadsHeader) -> None:
        """Take the heads as a router repeats them."""
        self._learn(heads)
        for stream, seq in zip(self.streams, heads.seqs, strict=False):
            stream.heads(heads.epoch, seq)

    def _learn(self, heads: HeadsHeader) -> None:
        if heads.rule is not None and heads.rule.room == self.name:
            self._around.rules.learn(heads.rule)

    def totals(self) -> tuple[int, int]:
        """Return the room's members (cluster-wide, as last told) and likes."""
        return max(self._totals.online, len(self.seats)), self._totals.likes

    # -- members

    async def starts(self, since: Mapping[str, Position], history: int) -> Starts:
        """Return where each stream is to start for a member; `None` is its live end."""
        return await find_starts(self.streams, self._around.upstream, since, history)

    def entering(self, starts: Starts) -> dict[str, Position]:
        """Return where a member that enters now starts, by priority."""
        return positions(self.streams, starts)

    def enter(self, connection: Connection, uid: str, own: str, starts: Starts) -> None:
        """Seat a member, whose token's role is `own`; what it missed is sent first, urgent on its
        own."""
        seat = self.seats[connection.id] = Seat(connection, uid)
        self.note_role(connection, uid, own)
        self.entered_count += 1
        if len(self.entered) < MAX_ENTERED:
            self.entered.append(uid)
        for stream, start in zip(self.streams, starts, strict=True):
            if start is None or (start.epoch, start.seq) == (stream.epoch, stream.seq):
                stream.audience.add(connection)
            else:
                self._around.counters.catch_ups += 1
                way = CatchUp(seat, stream, self._around.upstream, start.epoch, start.seq)
                self._around.tasks.start(way.run)

    def note_role(self, connection: Connection, uid: str, own: str) -> bool:
        """Note the role that a member's token gives it; says whether it is another than before."""
        before = self._staff.pop(connection.id, None)
        if own in (MODERATOR, HOST):
            self._staff[connection.id] = (uid, own)
        return before != self._staff.get(connection.id)

    def leave(self, connection: Connection) -> bool:
        """Let a member go; says whether it was one."""
        seat = self.seats.pop(connection.id, None)
        if seat is None:
            return False
        seat.gone = True
        self._staff.pop(connection.id, None)
        for stream in self.streams:
            stream.audience.discard(connection)
        return True

    def census(self) -> RoomCensus:
        """Return who is here, and who came in since the last call, which is forgotten."""
        staff = sorted(set(self._staff.values()))[:MAX_STAFF]
        found = RoomCensus(self.name, len(self.seats), self.entered_count, self.entered, staff)
        self.entered_count, self.entered = 0, []
        return found
