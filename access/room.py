"""One room on this node: opened for its first member, closed a while after its last."""

from collections.abc import Mapping
from enum import Enum

import msgspec
import structlog
import trio

from access.catch_up import CatchUp, Seat
from access.edge.interface import Connection
from access.room_stream import RoomStream, Surroundings
from mesh.interface import Mesh
from proto.client_requests import Position
from proto.errors import RequestError
from proto.headers import HeadsHeader, RoomHeader
from proto.priorities import LABELS, Priority
from proto.services import FetchBody

log = structlog.get_logger()

MAX_EARLY = 1000
"""Messages kept while the heads are asked for; beyond it they are left to the repair."""
MAX_ENTERED = 5


class RoomState(Enum):
    """How far a room is."""

    OPENING = "opening"
    LIVE = "live"
    CLOSED = "closed"


class _Totals(msgspec.Struct):
    total: int = 0
    online: int = 0


_decode_totals = msgspec.json.Decoder(_Totals).decode


class Room:
    """Members, three streams, and the way from opening to closed.

    Use: `await opened()`, `await starts(...)`, then in one synchronous step `entering`, the reply,
    `enter`. Between the first and the last of these hold it with `holds` += 1.
    """

    def __init__(self, name: str, mesh: Mesh, around: Surroundings) -> None:
        self.name = name
        self.state = RoomState.OPENING
        self.seats: dict[int, Seat] = {}
        self.holds = 0
        """Joins under way: the room is not closed under them."""
        self.closes_at = 0.0
        """When the last leave wanted the room closed, in seconds of trio's clock."""
        self.entered_count = 0
        self.entered: list[str] = []
        self.streams: list[RoomStream] = []
        self._mesh = mesh
        self._around = around
        self._early: list[tuple[Priority, RoomHeader, bytes]] = []
        self._done = trio.Event()
        self._error: RequestError | None = None
        self._likes = 0
        self._online = 0
        self._last_likes: bytes | None = None
        self._last_online: bytes | None = None

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
        for stream in self.streams:
            stream.close()

    def _start(self, heads: HeadsHeader) -> None:
        self._likes, self._online = heads.likes, heads.online
        self.streams = [
            RoomStream(self.name, priority, self._around, heads.epoch, heads.seqs[priority])
            for priority in Priority
        ]
        self.state = RoomState.LIVE
        early, self._early = self._early, []
        for priority, header, frame in early:
            self.receive(priority, header, frame)
        log.info("room_opened", room=self.name, epoch=heads.epoch, heads=list(heads.seqs))

    # -- what the mesh brings

    def receive(self, priority: Priority, header: RoomHeader, frame: bytes) -> None:
        """Take a message of the room."""
        if self.state is RoomState.LIVE:
            if priority is Priority.BULK:
                self._note_totals(frame)
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

    def _note_totals(self, frame: bytes) -> None:
        # Kept unread until somebody joins; `room_push` puts the kind within these bytes.
        if frame.find(b'"push":"likes"', 0, 96) >= 0:
            self._last_likes = frame
        elif frame.find(b'"push":"online"', 0, 96) >= 0:
            self._last_online = frame

    def totals(self) -> tuple[int, int]:
        """Return the room's members (cluster-wide, as last told) and likes."""
        if self._last_likes is not None:
            self._likes = _totals_in(self._last_likes).total
            self._last_likes = None
        if self._last_online is not None:
            self._online = _totals_in(self._last_online).online
            self._last_online = None
        return max(self._online, len(self.seats)), self._likes

    # -- members

    async def starts(
        self, since: Mapping[str, Position], history: int
    ) -> tuple[Position | None, Position | None, Position | None]:
        """Return where each stream is to start for a member; `None` is its live end."""
        found: list[Position | None] = []
        for stream in self.streams:
            start = since.get(stream.priority.label)
            if start is None and history and not since and stream.priority is not Priority.BULK:
                start = await self._history_start(stream, history)
            found.append(start)
        return found[0], found[1], found[2]

    async def _history_start(self, stream: RoomStream, history: int) -> Position:
        epoch, head = stream.epoch, stream.seq
        wanted = max(head - history, 0)
        have = min(stream.ring.oldest_seq - 1, head)
        if have <= wanted or not epoch:
            return Position(epoch, wanted)
        question = FetchBody(stream.priority, epoch, wanted + 1, head)
        try:
            answer = await self._around.upstream.fetch(self.name, question)
        except RequestError as error:
            # History is a courtesy: with the log away one gets what this node has.
            log.info("history_cut", room=self.name, error=str(error))
            return Position(epoch, have)
        if answer.epoch != epoch:
            return Position(epoch, have)
        stream.ring.prepend(answer.frames)
        return Position(epoch, min(max(wanted, answer.oldest_seq - 1), head))

    def entering(
        self, starts: tuple[Position | None, Position | None, Position | None]
    ) -> dict[str, Position]:
        """Return where a member that enters now starts, by priority."""
        return {
            LABELS[stream.priority]: start or Position(stream.epoch, stream.seq)
            for stream, start in zip(self.streams, starts, strict=True)
        }

    def enter(
        self,
        connection: Connection,
        uid: str,
        starts: tuple[Position | None, Position | None, Position | None],
    ) -> None:
        """Seat a member; what it missed is sent first, urgent on its own."""
        seat = self.seats[connection.id] = Seat(connection, uid)
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

    def leave(self, connection: Connection) -> bool:
        """Let a member go; says whether it was one."""
        seat = self.seats.pop(connection.id, None)
        if seat is None:
            return False
        seat.gone = True
        for stream in self.streams:
            stream.audience.discard(connection)
        return True

    def online_facts(self) -> tuple[int, int, list[str]]:
        """Return and forget who came in since the last call: members now, how many, some uids."""
        facts = len(self.seats), self.entered_count, self.entered
        self.entered_count, self.entered = 0, []
        return facts


def _totals_in(frame: bytes) -> _Totals:
    try:
        return _decode_totals(frame)
    except msgspec.MsgspecError:
        return _Totals()
