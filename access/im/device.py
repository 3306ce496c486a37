"""One connection that takes instant messages: writes what its streams let out, and keeps time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
import trio

from access.alarms import Alarms
from access.edge.interface import Connection
from access.im.counters import ImCounters
from access.im.line import Numbered
from access.im.order import HotStream, Order
from access.im.pages import Pages
from access.im.stream import Stream
from access.im.window import BadAckError, WindowLimits
from access.tasks import Tasks
from proto import server_frames
from proto.close_codes import CloseCode
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.requests.messages import Ack
from proto.services import OpenAnswer

log = structlog.get_logger()

MESSAGE_BYTES = 16 * 1024
"""Frames are joined up to here: an urgent message waits behind at most one such message."""
RETRY_S = 1.0
"""At least so long until a page that did not come is asked for again; up to twice, at random."""
NO_LONGER = frozenset((ErrorCode.NOT_MEMBER, ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
"""What ends a hot stream: logic has no more of it for this user."""


class HotGroups(Protocol):
    """Who hands hot groups' messages out."""

    def enter(self, conv: str, device: "Device") -> None:
        """Let `device` have the group's messages from now on."""

    def leave(self, conv: str, device: "Device") -> None:
        """Let it have no more."""


class Cursors(Protocol):
    """Who reports how far devices are."""

    def acknowledged(self, device: "Device", stream: str, n: int) -> None:
        """Report that `device` has all of `stream` up to `n`."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """What all devices share."""

    limits: WindowLimits
    pages: Pages
    alarms: Alarms
    tasks: Tasks
    counters: ImCounters
    cursors: Cursors
    hot_groups: HotGroups
    reorder_s: float
    tail_s: float
    random: Callable[[], float]


class Device:
    """The delivery of one connection. Until `start` it only notes that something came."""

    __slots__ = (
        "_alarm_at",
        "_around",
        "_busy",
        "_early_head",
        "_in_flight_bytes",
        "_starved",
        "connection",
        "epoch",
        "gone",
        "name",
        "order",
        "uid",
    )

    def __init__(self, uid: str, name: str, connection: Connection, around: Delivering) -> None:
        self.uid = uid
        self.name = name
        """The device, as the client calls it."""
        self.connection = connection
        self.epoch = ""
        self.gone = False
        self.order: Order | None = None
        self._around = around
        self._alarm_at: float | None = None
        self._busy = False
        self._early_head = 0
        self._in_flight_bytes = 0
        self._starved = False

    # -- its life

    def start(self, opened: OpenAnswer, given: dict[str, int]) -> None:
        """Begin to deliver what `opened` says, and of the hot groups that the client has named with
        a position (`given`) what is left."""
        self.epoch = opened.epoch
        order = self.order = Order(
            opened.start, max(opened.head, self._early_head), self._around.limits
        )
        for hot in opened.hot:
            order.open_hot(hot.conv, hot.start, hot.head, known_hot=True)
        for conv, since in given.items():
            if conv not in order.hot:
                order.drain_hot(conv, since)
        self._work()

    def end(self) -> None:
        """Stop: the connection is gone."""
        self.gone = True
        order, self.order = self.order, None
        if order is not None:
            for stream in order.streams():
                self._around.counters.in_flight -= len(stream.window)
                self._around.counters.in_flight_bytes -= stream.window.bytes
            for conv in order.hot:
                self._around.hot_groups.leave(conv, self)

    # -- what comes

    def take(self, n: int, frame: bytes) -> None:
        """Take message `n` of the mailbox as it was pushed."""
        if self.order is None:
            self._early_head = max(self._early_head, n)
        else:
            self._take(self.order, self.order.mailbox, [(n, frame)])

    def take_hot(self, conv: str, messages: Sequence[Numbered]) -> None:
        """Take messages of a hot group as they were pushed."""
        order = self.order
        stream = order.hot.get(conv) if order is not None else None
        if order is not None and stream is not None:
            self._take(order, stream, [each for each in messages if stream.takes(each[0])])

    def tail(self, n: int) -> None:
        """Learn where the mailbox ends."""
        if self.order is not None:
            self._learn(self.order, self.order.mailbox, n)

    def hot_tail(self, conv: str, n: int) -> None:
        """Learn where a hot group ends."""
        stream = self.order.hot.get(conv) if self.order is not None else None
        if self.order is not None and stream is not None and stream.takes(n):
            self._learn(self.order, stream, n)

    def acknowledge(self, ack: Ack) -> bool:
        """Take an acknowledgement and say whether something was in flight until now; raises
        `RequestError` `bad_frame` for what was never sent."""
        order = self.order
        if order is None:
            raise _never_sent("stream", "nothing was sent yet")
        stream = order.by_name(ack.stream)
        if stream is None:
            if ack.n > order.past.get(ack.stream, -1):
                raise _never_sent("stream", f"nothing of {ack.stream} was sent")
            return False
        return self._acknowledge(order, stream, ack)

    def _take(self, order: Order, stream: Stream, messages: Sequence[Numbered]) -> None:
        now, counters = trio.current_time(), self._around.counters
        for n, frame in messages:
            if not stream.live(n, frame, now, self._around.reorder_s):
                counters.duplicates += 1
        order.due[stream] = None
        self._work()

    def _learn(self, order: Order, stream: Stream, head: int) -> None:
        if stream.tail(head, trio.current_time(), self._around.tail_s):
            self._around.counters.tails_behind += 1
        order.due[stream] = None
        self._work()

    def _acknowledge(self, order: Order, stream: Stream, ack: Ack) -> bool:
        before = stream.window.bytes
        try:
            taken = stream.window.acknowledge(ack.n, ack.also, trio.current_time())
        except BadAckError as error:
            raise _never_sent(error.field, str(error)) from None
        counters = self._around.counters
        counters.acknowledged += taken
        counters.in_flight -= taken
        self._freed(before - stream.window.bytes)
        if ack.n > stream.acked:
            stream.acked = ack.n
            self._around.cursors.acknowledged(self, stream.name, ack.n)
        # The usual case: nothing waits for the room.
        if self._starved or not stream.idle or stream is not order.mailbox:
            order.due.update(dict.fromkeys(order.streams() if self._starved else [stream]))
            self._work()
        return taken > 0

    # -- what goes out

    def _work(self) -> None:
        """Let out all that may go out, until nothing more follows from it."""
        order = self.order
        if self._busy or order is None:
            return
        self._busy, self._starved = True, False
        try:
            while order.due and not self.gone:
                stream = next(iter(order.due))
                del order.due[stream]
                self._let_out(order, stream)
        finally:
            self._busy = False
        self._tell_hot_groups(order)

    def _let_out(self, order: Order, stream: Stream) -> None:
        now = trio.current_time()
        frames: list[bytes] = []
        while (found := stream.line.next()) is not None:
            n, frame = found
            if not self._fits(stream, len(frame)) or not order.may_send(stream, n, frame):
                break
            stream.line.take()
            stream.window.send(n, frame, now)
            self._in_flight_bytes += len(frame)
            frames.append(frame)
            order.sent(stream, frame)
        if frames:
            counters = self._around.counters
            counters.sent += len(frames)
            counters.in_flight += len(frames)
            counters.in_flight_bytes += sum(map(len, frames))
            self._write(frames)
        order.settle(stream)
        if stream.wants_page(now, self._around.reorder_s):
            self._around.tasks.start(self._page, stream, stream.ask())
        ask_at = stream.ask_at if not stream.asking else None
        self._wake_at(stream.window.due_at)
        self._wake_at(ask_at if ask_at is not None and ask_at > now else None)

    def _fits(self, stream: Stream, size_bytes: int) -> bool:
        """Say whether there is room, in the window and in what all windows of the connection may
        have in flight together: it is less than what closes a slow reader."""
        total = self._in_flight_bytes + size_bytes
        fits = total <= self._around.limits.max_bytes or not self._in_flight_bytes
        self._starved |= not fits
        return fits and stream.window.fits(size_bytes)

    def _write(self, frames: Sequence[bytes]) -> None:
        start = size = 0
        for end, frame in enumerate(frames):
            if size and size + len(frame) > MESSAGE_BYTES:
                self._write_one(frames[start:end])
                start, size = end, 0
            size += len(frame)
        self._write_one(frames[start:])

    def _write_one(self, frames: Sequence[bytes]) -> None:
        self.connection.send(server_frames.message(frames), Priority.NORMAL)

    def _freed(self, size_bytes: int) -> None:
        self._in_flight_bytes -= size_bytes
        self._around.counters.in_flight_bytes -= size_bytes

    def _tell_hot_groups(self, order: Order) -> None:
        closed, order.closed = order.closed, []
        for conv in closed:
            self._around.hot_groups.leave(conv, self)
        opened, order.opened = order.opened, []
        for conv in opened:
            stream = order.hot.get(conv)
            if stream is not None and not stream.ended:
                self._around.hot_groups.enter(conv, self)

    # -- pages

    async def _page(self, stream: Stream, since: int) -> None:
        around = self._around
        try:
            page = await around.pages.after(self.uid, stream.name, since, stream.page_size)
        except RequestError as error:
            self._no_page(stream, error)
            return
        if self.order is None:
            return
        if page.epoch != self.epoch:
            self._begin_anew()
            return
        stream.answered(page.frames, page.head)
        self.order.paged(stream)
        self.order.due[stream] = None
        self._work()

    def _no_page(self, stream: Stream, error: RequestError) -> None:
        order, code = self.order, error.body.code
        if order is None:
            return
        log.info("sync_failed", uid=self.uid, stream=stream.name, error=str(error))
        wait_s = max(RETRY_S, error.body.retry_after_ms / 1000) * (1 + self._around.random())
        stream.failed(trio.current_time() + wait_s)
        if isinstance(stream, HotStream):
            if code in NO_LONGER and not stream.ended:
                order.end(stream)
        elif code is ErrorCode.BAD_CURSOR:
            self._begin_anew()
        order.due[stream] = None
        self._work()

    def _begin_anew(self) -> None:
        """Have the device come back: its numbers are none of this database's."""
        self._around.counters.stale_epoch += 1
        self.connection.close(CloseCode.RESTARTING, "the numbering is new; connect anew")

    # -- time

    def _wake_at(self, at: float | None) -> None:
        if at is not None and (self._alarm_at is None or at < self._alarm_at):
            self._alarm_at = at
            self._around.alarms.at(at, self._ring)

    def _ring(self) -> None:
        now, order = trio.current_time(), self.order
        if order is None or self._alarm_at is None or now < self._alarm_at:
            return
        self._alarm_at = None
        for stream in order.streams():
            self._send_again(stream, now)
            order.due[stream] = None
        self._work()

    def _send_again(self, stream: Stream, now: float) -> None:
        due_at = stream.window.due_at
        if due_at is None or now < due_at:
            return
        if self.connection.queued_bytes:
            stream.window.postpone(now)  # it has not left this node yet
            return
        frames = stream.window.expire(now)
        if stream.window.dead:
            self._around.counters.dead += 1
            self.connection.close(CloseCode.UNACKNOWLEDGED, f"{stream.name}: not acknowledged")
        elif frames:
            self._around.counters.resends += len(frames)
            self._write(frames)


def _never_sent(field: str, message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {message}", field=field)
