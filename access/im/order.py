"""The streams of one connection, and the order of a group's messages across two of them. No I/O.

A group that becomes hot changes over from the mailbox to its hot stream after a message of kind
`hot`, and back after one of kind `cool`. A conversation's numbers say what comes first: a message
waits until what is before it has gone out on the other stream.
"""

from access.im.hot_stream import HotStream
from access.im.stream import Stream
from access.im.turns import Cool, Hot, Joined, Left, Turn, place_of, turn_in
from access.im.window import WindowLimits
from proto.conversations import MAILBOX, hot_stream

MAX_PAST = 200
"""Hot streams that have ended and may still be acknowledged."""


class Order:
    """All streams of a connection. `opened` and `closed` gather the groups that a turn has begun or
    ended, `due` the streams that something has changed for: whoever calls takes them out."""

    __slots__ = (
        "_level_at",
        "_limits",
        "_uid",
        "closed",
        "due",
        "hot",
        "mailbox",
        "opened",
        "past",
    )

    def __init__(self, uid: str, start: int, head: int, limits: WindowLimits) -> None:
        self._uid = uid
        self.mailbox = Stream(MAILBOX, start, head, limits)
        self.hot: dict[str, HotStream] = {}
        self.past: dict[str, int] = {}
        """The last numbers of hot streams that are over, by the streams' names."""
        self.due: dict[Stream, None] = {self.mailbox: None}
        self.opened: list[str] = []
        self.closed: list[str] = []
        self._limits = limits
        # Hot messages of before may follow messages that the mailbox still has to bring: they wait
        # until it has come to where it ended when the connection began.
        self._level_at: int | None = head if start < head else None

    def streams(self) -> list[Stream]:
        """Return all of them, the mailbox first."""
        return [self.mailbox, *self.hot.values()]

    def by_name(self, name: str) -> Stream | None:
        """Return a stream by its name, if there is one."""
        if name == MAILBOX:
            return self.mailbox
        return next((each for each in self.hot.values() if each.name == name), None)

    def open_hot(self, conv: str, start: int, head: int, *, known_hot: bool) -> HotStream:
        """Begin a hot stream after number `start`; `known_hot`: the group is hot now, and the user
        in it."""
        # Who comes back to a group may have had messages of the time between.
        start = max(start, self.past.pop(hot_stream(conv), 0))
        stream = self.hot[conv] = HotStream(conv, start, head, self._limits)
        stream.known_hot = head if known_hot else 0
        self._enter(stream, certain=known_hot)
        return stream

    def drain_hot(self, conv: str, start: int) -> None:
        """Bring what is left of a hot stream that a client says to have up to `start`: the group
        may have cooled, and the user may never have been in it."""
        stream = self.hot[conv] = HotStream(conv, start, start, self._limits)
        stream.drains = stream.must_ask = True
        self.due[stream] = None

    def may_send(self, stream: Stream, n: int, frame: bytes) -> bool:
        """Say whether the next message of `stream` may go out before anything else has."""
        if isinstance(stream, HotStream):
            free = self._level_at is None or stream.drains or n < (stream.before or 0)
            return free and not stream.ended
        return not self.hot or self._mailbox_may_send(frame)

    def sent(self, stream: Stream, frame: bytes) -> None:
        """Note that a message has gone out."""
        if isinstance(stream, HotStream) and stream.before is not None:
            self.due[self.mailbox] = None
        turn = turn_in(frame, self._uid)
        if turn is not None:
            self._turn(stream, turn)

    def paged(self, stream: Stream) -> None:
        """Note that a page of `stream` has come."""
        if not isinstance(stream, HotStream):
            return
        if stream.last is not None:
            stream.line.cut(stream.last)
        elif stream.nothing_before:
            # The mailbox has a later message, so the group is not hot, and this was all.
            self.end(stream)
        self.due[self.mailbox] = None

    def settle(self, stream: Stream) -> None:
        """Note that all of `stream` that may go out now has."""
        if isinstance(stream, HotStream):
            if not stream.ended and stream.left:
                self.end(stream)
            self._tidy(stream)
        elif self._level_at is not None and stream.line.position >= self._level_at:
            self._now_level()

    def end(self, stream: HotStream) -> None:
        """Pass over to the mailbox."""
        stream.ended, stream.before, stream.must_ask = True, None, False
        stream.line.cut(stream.line.position)
        self.closed.append(stream.conv)
        self.due[self.mailbox] = None

    def left(self, stream: HotStream, last: int) -> None:
        """Bring what there is up to number `last`, and no more: the user has left the group."""
        stream.last, stream.must_ask = last, True
        stream.line.cut(last)
        self.due[stream] = None

    def _tidy(self, stream: HotStream) -> None:
        """Forget a hot stream that has ended and been acknowledged."""
        over = stream.ended and not stream.revive and not len(stream.window)
        if over and stream.conv in self.hot:
            del self.hot[stream.conv]
            self.past[stream.name] = stream.window.sent
            if len(self.past) > MAX_PAST:
                del self.past[next(iter(self.past))]

    def _mailbox_may_send(self, frame: bytes) -> bool:
        conv, seq = place_of(frame)
        stream = self.hot.get(conv)
        if stream is None or stream.ended or seq <= stream.line.position:
            return True
        found = stream.line.next()
        if found is not None and found[0] > seq:
            return True
        stream.before = seq
        if found is None and not stream.asking:
            stream.must_ask = True
        self.due[stream] = None
        return False

    def _turn(self, stream: Stream, turn: Turn) -> None:
        if isinstance(stream, HotStream):
            if isinstance(turn, Cool):
                self._cooled(stream, turn.seq)
            elif isinstance(turn, Left) and not stream.ended:
                self.left(stream, turn.seq)
        elif isinstance(turn, Hot):
            self._heated(turn.conv, turn.seq)
        elif isinstance(turn, Joined):
            self._heated(turn.conv, turn.seq - 1)
        elif not isinstance(turn, Cool):
            self._left(turn.conv, turn.seq)

    def _heated(self, conv: str, seq: int) -> None:
        stream = self.hot.get(conv)
        if stream is not None and stream.last is not None and not stream.ended:
            self.end(stream)  # left and come back
        if stream is None:
            self.open_hot(conv, seq, seq, known_hot=False)
        elif stream.ended:
            stream.line.restart(max(seq, stream.line.position))
            self._begin_anew(stream)

    def _cooled(self, stream: HotStream, seq: int) -> None:
        if stream.known_hot <= seq:
            self.end(stream)
        elif self._level_at is not None:
            # It was hot again before the connection began: what came between is in the mailbox.
            stream.revive = True
            self.end(stream)

    def _left(self, conv: str, seq: int) -> None:
        stream = self.hot.get(conv)
        if stream is not None and not stream.ended:
            self.left(stream, seq)

    def _now_level(self) -> None:
        self._level_at = None
        for stream in self.hot.values():
            if stream.revive:
                self._begin_anew(stream)
                stream.line.learn(stream.known_hot)
            elif not (stream.drains or stream.ended):
                self._enter(stream)
            self.due[stream] = None

    def _begin_anew(self, stream: HotStream) -> None:
        stream.ended = stream.revive = stream.drains = False
        stream.last = stream.before = None
        self._enter(stream)

    def _enter(self, stream: HotStream, *, certain: bool = False) -> None:
        """Take the stream live, but not while the mailbox may still bring word that the user has
        left the group: nothing of it goes out before that anyway."""
        if certain or self._level_at is None:
            self.opened.append(stream.conv)
        self.due[stream] = None
