"""One (room, priority) of this node at work: cursor, ring and joiner, and the members it serves."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
import trio

from access.alarms import Alarms
from access.counters import AccessCounters
from access.edge.interface import Batch, Edge
from access.joiner import Joiner
from access.moves.room_rules import RoomRules
from access.ring import Ring
from access.stream import Cursor, CursorCounters, Gap, Output, Ready, RepairRules, Reset
from access.tasks import Tasks
from access.upstream import Upstream
from proto import server_frames
from proto.errors import RequestError
from proto.headers import RoomHeader
from proto.priorities import Priority
from proto.services import FetchBody

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The bounds of one stream; each is a setting of the node."""

    max_tick_s: float
    tick_ratio: float
    ring_frames: int
    ring_bytes: int
    max_pending: int
    max_pending_bytes: int
    max_round_bytes: int
    repair: RepairRules


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every stream of the node shares."""

    edge: Edge
    alarms: Alarms
    tasks: Tasks
    upstream: Upstream
    rules: RoomRules
    counters: AccessCounters
    cursor_counters: tuple[CursorCounters, CursorCounters, CursorCounters]
    limits: tuple[StreamLimits, StreamLimits, StreamLimits]
    now_ms: Callable[[], int]
    """Unix time."""
    random: Callable[[], float]


Observe = Callable[[list[Output]], None]


class RoomStream:
    """Takes what the mesh brings and hands rounds to the fan-out; `observe` sees it first.

    `epoch` and `seq` are the last number handed over: a member that enters now gets what follows.
    """

    def __init__(
        self,
        room: str,
        priority: Priority,
        around: Surroundings,
        epoch: str,
        seq: int,
        observe: Observe | None = None,
    ) -> None:
        self.room = room
        self.priority = priority
        self.epoch = epoch
        self.seq = seq
        self.audience = around.edge.audience()
        self.closed = False
        self.moved = trio.Event()
        """Set, and replaced, whenever `epoch` or `seq` change."""
        self._around = around
        self._observe = observe
        limits = around.limits[priority]
        self.cursor = Cursor(limits.repair, epoch, seq, around.cursor_counters[priority])
        self.ring = Ring(limits.ring_frames, limits.ring_bytes, seq)
        self._joiner = Joiner(
            limits.max_tick_s,
            tick_ratio=limits.tick_ratio,
            max_pending=limits.max_pending,
            max_pending_bytes=limits.max_pending_bytes,
            max_round_bytes=limits.max_round_bytes,
        )
        self._alarm_at = float("inf")

    @property
    def pending(self) -> int:
        """How many messages wait for their round, and how many for a gap to close."""
        return len(self._joiner) + self.cursor.held

    def receive(self, header: RoomHeader, frame: bytes) -> None:
        """Take a message as the mesh brought it."""
        self._take(self.cursor.feed(header, frame, trio.current_time()))

    def heads(self, epoch: str, seq: int) -> None:
        """Take the log's head as a router told it."""
        self.cursor.heads(epoch, seq, trio.current_time())
        self._arm()

    def close(self) -> None:
        """Serve nobody any more; what is in flight is let go."""
        self.closed = True

    def _take(self, outputs: list[Output]) -> None:
        if outputs:
            if self._observe is not None:
                self._observe(outputs)
            self._keep(outputs)
            before = self._joiner.dropped
            self._joiner.add(outputs)
            if self._joiner.dropped != before:
                dropped = self._joiner.dropped - before
                self._around.counters.drops["pending_full", self.priority] += dropped
            self._flush_if_due()
        self._arm()

    def _keep(self, outputs: list[Output]) -> None:
        ring = self.ring
        for output in outputs:
            if isinstance(output, Ready):
                ring.append(output.seq, output.frame)
            else:
                ring.begin(output.last_seq)

    def _flush_if_due(self) -> None:
        due = self._joiner.due_at()
        if due is not None and due <= trio.current_time():
            self._flush()

    def _flush(self) -> None:
        outputs = self._joiner.take(trio.current_time())
        self.epoch, self.seq = outputs[-1].epoch, outputs[-1].last_seq
        self._count(outputs)
        self.moved.set()
        self.moved = trio.Event()
        if len(self.audience) == 0:
            self._joiner.done(trio.current_time())
            return
        batch = Batch(
            server_frames.message([self.encode(output) for output in outputs]),
            self.priority,
            self.room,
            self.epoch,
            outputs[0].first_seq,
            self.seq,
            self._round_done,
        )
        self._around.edge.broadcast(self.audience, batch)

    def _round_done(self) -> None:
        self._joiner.done(trio.current_time())
        # Not from within the fan-out's own call: the alarm's turn comes right after it.
        self._arm()

    def encode(self, output: Output) -> bytes:
        """Return the frame that carries or tells `output`."""
        if isinstance(output, Ready):
            return output.frame
        if isinstance(output, Reset):
            return server_frames.reset(self.room, self.priority, output.epoch, output.last_seq)
        return server_frames.skipped(
            self.room, self.priority, output.epoch, output.first_seq, output.last_seq
        )

    def _count(self, outputs: list[Output]) -> None:
        counters, priority, members = self._around.counters, self.priority, len(self.audience)
        now_ms = self._around.now_ms()
        histogram = counters.latency[priority]
        messages = 0
        for output in outputs:
            if isinstance(output, Ready):
                messages += 1
                if output.header is not None:
                    histogram.observe(max(0, now_ms - output.header.ts_ms))
                    log.debug("room_message_delivered", trace=output.header.trace, room=self.room)
        counters.rounds[priority] += 1
        counters.room_messages[priority] += messages
        counters.deliveries[priority] += messages * members

    def _arm(self) -> None:
        """See to it that `_ring` is called when the next thing is due."""
        due = _earlier(self._joiner.due_at(), self.cursor.due_at())
        if due < self._alarm_at:
            self._alarm_at = due
            self._around.alarms.at(due, self._ring)

    def _ring(self) -> None:
        self._alarm_at = float("inf")
        if self.closed:
            return
        self._flush_if_due()
        outputs, gap = self.cursor.act(trio.current_time())
        if gap is not None:
            self._around.tasks.start(self._repair, gap)
        self._take(outputs)

    async def _repair(self, gap: Gap) -> None:
        question = FetchBody(self.priority, gap.epoch, gap.first_seq, gap.last_seq)
        try:
            answer = await self._around.upstream.fetch(self.room, question)
        except RequestError as error:
            log.info(
                "repair_failed", room=self.room, priority=self.priority.label, error=str(error)
            )
            self.cursor.fetch_failed(trio.current_time(), self._around.random())
            self._arm()
            return
        if not self.closed:
            now, random = trio.current_time(), self._around.random()
            self._take(self.cursor.fetched(answer, now, random))


def _earlier(one: float | None, other: float | None) -> float:
    first = float("inf") if one is None else one
    return first if other is None else min(first, other)
