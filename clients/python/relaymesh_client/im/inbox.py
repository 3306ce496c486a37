"""All streams of a device, and the order of each conversation across two of them. No I/O.

The server sends each conversation's messages in order, over both streams of a group that becomes
hot or cools down. That order is lost only where something of a stream has to be fetched: then the
other stream waits until the conversation's numbers say that it is its turn.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from relaymesh_client.conversations import MAILBOX, hot_group, hot_stream, is_group
from relaymesh_client.events import Frame
from relaymesh_client.im.acks import Acks
from relaymesh_client.im.events import ImPosition, Kept, MailboxReset
from relaymesh_client.im.frames import is_message, message_of
from relaymesh_client.im.stream import Stream

MAX_CONVERSATIONS = 10_000
"""Conversations whose last number is remembered; the one that was silent for the longest goes."""
MAX_HOT = 200
"""Hot groups that are remembered: as many as `hello` may name."""


class Missing(NamedTuple):
    """What to ask `sync` for: what exists in `stream` after its position. Up to `until` something
    lacks; 0 where it is not known whether there is anything."""

    stream: Stream
    until: int


class Inbox:
    """Turns what comes into messages, each once; `events` is emptied by who asks."""

    def __init__(self, position: ImPosition, acks: Acks) -> None:
        self.epoch = position.epoch
        self.events: list[Kept] = []
        self.mailbox: Stream | None = None
        self._start = 0
        """The number after which the connection pushes the mailbox."""
        self._head = 0
        """The mailbox's last number when the connection began."""
        self._acks = acks
        self._hot: OrderedDict[str, Stream] = OrderedDict()
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._cool: set[str] = set()
        """Groups whose next message comes by the mailbox, as the last one says."""
        if position.since is not None:
            self.mailbox = self._new(MAILBOX, position.since)
        for conv, seq in position.hot.items():
            self._hot[conv] = self._new(hot_stream(conv), seq)

    # What comes.

    def opened(self, epoch: str, head: int, start: int, standing: str, hot: dict[str, int]) -> None:
        """Take the answer to `hello.im`: the mailbox ends with `head`; the streams begin after
        `start`, and `hot` by group."""
        is_new = self.epoch not in ("", epoch)
        if standing == "reset" or is_new:
            self._begin(start)
        elif self.mailbox is None:
            self._meet(start, is_behind=standing == "behind")
        else:
            self.mailbox.want(start)
        self.epoch, self._head, self._start = epoch, head, start
        for conv, seq in hot.items():
            self._hot_stream(conv, seq).want(seq)
        self._acks.opened({MAILBOX: start} | {hot_stream(conv): seq for conv, seq in hot.items()})

    def take(self, frame: Frame, now: float) -> None:
        """Take a pushed frame for which `is_message` holds."""
        stream, n = self._stream_of(frame), frame["n"]
        if stream is not None:
            is_new = stream.offer(n, frame)
            self._acks.received(stream.name, n, now, again=not is_new)
            self.work(now)

    def page(
        self, stream: Stream, frames: list[Frame], since: int, oldest: int, through: int
    ) -> None:
        """Take a page: all of `stream` after `since` and from `oldest` on that exists, up to
        `through`."""
        if stream is self.mailbox and oldest > stream.position + 1:
            self._lose(stream, oldest - 1)
        good = {each["n"]: each for each in frames if is_message(each)}
        stream.page(good, since, through)

    def gone(self, stream: Stream, until: int) -> None:
        """Learn that there is no page to be had: what lacks up to `until` won't come."""
        if stream is self.mailbox:
            self._lose(stream, until)
        else:
            stream.gone(until)

    def disconnected(self) -> None:
        """Make ready for the next connection."""
        for conv in [each for each, stream in self._hot.items() if not stream.is_known]:
            self._acks.forget(self._hot.pop(conv).name)
        for stream in self._streams():
            stream.disconnected()

    def work(self, now: float) -> None:
        """Give all messages whose turn it is."""
        while self._mailbox_step(now) or self._hot_steps(now):
            pass

    def missing(self) -> Iterator[Missing]:
        """Return what has to be asked for now."""
        for stream in self._streams():
            if stream.wants_page:
                yield Missing(stream, stream.missing_until)

    def streams(self) -> dict[str, Stream]:
        """Return all streams by name."""
        return {stream.name: stream for stream in self._streams()}

    def known_hot(self) -> list[str]:
        """Return the hot groups in whose streams it is known how far this device is."""
        return [conv for conv, stream in self._hot.items() if stream.is_known]

    # Whose turn it is.

    def _mailbox_step(self, now: float) -> bool:
        mailbox = self.mailbox
        frame = mailbox.next() if mailbox is not None else None
        if mailbox is None or frame is None or self._waits_for_hot(frame):
            return False
        self._give(mailbox, frame, now)
        return True

    def _hot_steps(self, now: float) -> bool:
        return any(self._hot_step(stream, now) for stream in list(self._hot.values()))

    def _hot_step(self, stream: Stream, now: float) -> bool:
        conv = hot_group(stream.name) or ""
        stream.pass_over(self._newest.get(conv, 0))
        self._acks.moved(stream.name, stream.position)
        frame = stream.next()
        if frame is None or not self._may_give(conv, frame):
            return False
        self._give(stream, frame, now)
        return True

    def _may_give(self, conv: str, frame: Frame) -> bool:
        """Say whether nothing of the mailbox comes before this frame of a hot stream."""
        mailbox = self.mailbox
        if mailbox is None or frame["seq"] == self._newest.get(conv, -1) + 1:
            return True
        first = mailbox.next()
        if first is None:
            # A page may bring what is after messages that the mailbox has not pushed yet.
            is_whole = not mailbox.missing_until and mailbox.position >= self._head
            return is_whole and conv not in self._cool
        return bool(first["conv"] == conv and frame["seq"] < first["seq"])

    def _waits_for_hot(self, frame: Frame) -> bool:
        """Say whether a hot stream has, or may have, messages before this one of the mailbox."""
        conv, seq = frame["conv"], frame["seq"]
        stream = self._hot.get(conv)
        if stream is None or seq <= self._newest.get(conv, stream.position) + 1:
            return False
        stream.want(seq - 1)
        first = stream.next()
        is_before = first is not None and first["seq"] < seq
        return is_before or not stream.knows(seq - 1)

    def _give(self, stream: Stream, frame: Frame, now: float) -> None:
        stream.take()
        conv, seq = frame["conv"], frame["seq"]
        is_new = seq > self._newest.get(conv, 0)
        self._acks.delivered(stream.name, frame["n"], now, shown=is_new)
        if is_new:
            self._remember(conv, seq)
            self._turn(frame, is_hot=stream is not self.mailbox)
            self.events.append(message_of(frame))

    def _turn(self, frame: Frame, *, is_hot: bool) -> None:
        """Begin hot streams with the messages after which they begin, and end them."""
        body = frame.get("body")
        if is_hot and frame["kind"] == "cool":
            self._cool.add(frame["conv"])
        if frame["kind"] == "hot":
            self._heat(frame["conv"], frame["seq"], frame)
        elif frame["kind"] == "group_joined" and isinstance(body, dict) and body.get("hot") is True:
            conv, joined = body.get("conv"), body.get("joined")
            if isinstance(conv, str) and is_group(conv) and isinstance(joined, int):
                self._heat(conv, joined - 1, frame)

    def _heat(self, conv: str, seq: int, told: Frame) -> None:
        """Begin the hot stream of `conv` after `seq`, as the message `told` says. The server does
        not, or it begins later, where the message was in a page."""
        stream = self._hot_stream(conv, seq)
        if seq >= self._newest.get(conv, 0):
            self._cool.discard(conv)
        if not stream.is_known:
            self._acks.begin(stream.name, seq)
        stream.begin(seq)
        if told["n"] <= self._start:
            stream.want_all()

    # The streams.

    def _stream_of(self, frame: Frame) -> Stream | None:
        if frame["stream"] == MAILBOX:
            return self.mailbox
        conv = hot_group(frame["stream"])
        return self._hot_stream(conv, frame["n"] - 1) if conv is not None else None

    def _hot_stream(self, conv: str, position: int) -> Stream:
        stream = self._hot.get(conv)
        if stream is None:
            stream = self._hot[conv] = self._new(hot_stream(conv), position, is_known=False)
        self._hot.move_to_end(conv)
        if len(self._hot) > MAX_HOT:
            self._acks.forget(self._hot.popitem(last=False)[1].name)
        return stream

    def _new(self, name: str, position: int, *, is_known: bool = True) -> Stream:
        self._acks.begin(name, position)
        return Stream(name, position, is_known=is_known)

    def _streams(self) -> list[Stream]:
        return [*([self.mailbox] if self.mailbox is not None else []), *self._hot.values()]

    def _meet(self, start: int, *, is_behind: bool) -> None:
        self.mailbox = self._new(MAILBOX, start)
        if is_behind:
            # Where the cluster's own cursor was is not told.
            self.events.append(MailboxReset(None, start))

    def _begin(self, start: int) -> None:
        old = self.mailbox.position if self.mailbox is not None else None
        for stream in self._streams():
            self._acks.forget(stream.name)
        self._hot.clear()
        self._newest.clear()
        self._cool.clear()
        self.mailbox = self._new(MAILBOX, start)
        self.events.append(MailboxReset(old, start))

    def _lose(self, stream: Stream, until: int) -> None:
        self.events.append(MailboxReset(stream.position, until))
        stream.pass_over(until)
        self._acks.moved(stream.name, until)
        # What is lost may have been the word that a group is hot again.
        self._cool.clear()

    def _remember(self, conv: str, seq: int) -> None:
        self._newest[conv] = seq
        self._newest.move_to_end(conv)
        if len(self._newest) > MAX_CONVERSATIONS:
            self._cool.discard(self._newest.popitem(last=False)[0])
