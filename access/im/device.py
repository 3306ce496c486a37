"""One connection that takes instant messages: writes what its streams let out, and keeps time."""

from collections.abc import Sequence

import structlog
import trio

from access.edge.interface import Connection
from access.im.delivering import Delivering
from access.im.hot_stream import HotStream
from access.im.line import Numbered
from access.im.order import Order
from access.im.outflow import Outflow
from access.im.stream import Stream
from access.im.window import BadAckError
from proto.close_codes import CloseCode
from proto.errors import ErrorCode, RequestError
from proto.im_services import OpenAnswer
from proto.requests.messages import Ack

log = structlog.get_logger()

RETRY_S = 1.0
"""At least so long until a page that did not come is asked for again; up to twice, at random."""
NO_LONGER = frozenset((ErrorCode.NOT_MEMBER, ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR))
"""What ends a hot stream: logic has no more of it for this user."""


class Device:
    """The delivery of one connection. Until `start` it only notes that something came."""

    __slots__ = (
        "_alarm_at",
        "_around",
        "_busy",
        "_early_head",
        "_outflow",
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
        self._outflow = Outflow(connection, around.limits.max_bytes, around.counters)

    # -- its life

    def start(self, opened: OpenAnswer, given: dict[str, int]) -> None:
        """Begin to deliver what `opened` says, and of the hot groups that the client has named with
        a position (`given`) what is left."""
        self.epoch = opened.epoch
        order = self.order = Order(
            self.uid, opened.start, max(opened.head, self._early_head), self._around.limits
        )
        for hot in opened.hot:
            stream = order.open_hot(hot.conv, hot.start, hot.head, known_hot=not hot.left)
            if hot.left:
                order.left(stream, hot.head)
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
                self._outflow.left(len(stream.window), stream.window.bytes)
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
        self._around.counters.acknowledged += taken
        self._outflow.left(taken, before - stream.window.bytes)
        if ack.n > stream.acked:
            stream.acked = ack.n
            self._around.cursors.acknowledged(self, stream.name, ack.n)
        # The usual case: nothing waits for the room.
        starved = self._outflow.starved
        if starved or not stream.idle or stream is not order.mailbox:
            order.due.update(dict.fromkeys(order.streams() if starved else [stream]))
            self._work()
        return taken > 0

    # -- what goes out

    def _work(self) -> None:
        """Let out all that may go out, until nothing more follows from it."""
        order = self.order
        if self._busy or order is None:
            return
        self._busy, self._outflow.starved = True, False
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
            if not self._outflow.fits(stream, len(frame)) or not order.may_send(stream, n, frame):
                break
            stream.line.take()
            stream.window.send(n, frame, now)
            self._outflow.entered(len(frame))
            frames.append(frame)
            order.sent(stream, frame)
        if frames:
            self._outflow.write(frames)
        order.settle(stream)
        if stream.wants_page(now, self._around.reorder_s):
            self._around.tasks.start(self._page, stream, stream.ask())
        ask_at = stream.ask_at if not stream.asking else None
        self._wake_at(stream.window.due_at)
        self._wake_at(ask_at if ask_at is not None and ask_at > now else None)

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
        is_told = isinstance(stream, HotStream) and not stream.drains
        pages = around.pages.of_members if is_told else around.pages.of_user
        try:
            page = await pages(self.uid, stream.name, since, stream.page_size)
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
            self._outflow.send_again(stream, now)
            order.due[stream] = None
        self._work()


def _never_sent(field: str, message: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {message}", field=field)
