"""One stream of one connection: its line, its window, and when a page of it is asked for. No I/O.

Beyond the window nothing waits in memory: that there is more is remembered, and pages are asked for
as acknowledgements make room.
"""

from collections.abc import Sequence

from access.im.line import Line, Numbered
from access.im.window import Window, WindowLimits


class Stream:
    """Takes what comes live, heads and pages, with the time. Times are seconds of one clock."""

    __slots__ = (
        "_asked_head",
        "_gap_at",
        "_limits",
        "_low_at",
        "acked",
        "ask_at",
        "asking",
        "line",
        "must_ask",
        "name",
        "window",
    )

    def __init__(self, name: str, start: int, head: int, limits: WindowLimits) -> None:
        self.name = name
        self.line = Line(start, head)
        self.window = Window(start, limits)
        self.acked = -1
        """The highest number up to which the client has said to have all."""
        self.asking = False
        """Whether a page is on its way."""
        self.must_ask = False
        """Whether a page is wanted although nothing is known to be missing."""
        self.ask_at: float | None = None
        """Before that a gap may close by itself."""
        self._gap_at = -1
        self._low_at = -1
        self._asked_head = 0
        self._limits = limits

    @property
    def page_size(self) -> int:
        """How many messages a page has: the same for all connections, so that they share it."""
        return max(self._limits.max_messages // 2, 1)

    @property
    def idle(self) -> bool:
        """Whether all that is known of has gone out."""
        return self.line.head <= self.line.position and not self.must_ask

    def live(self, n: int, frame: bytes, now: float, wait_s: float) -> bool:
        """Take a message that was pushed; a gap before it may close by itself for `wait_s`. Says
        whether it is new."""
        # What is held counts to the window: one that is full holds nothing.
        near = n - self.line.position <= self._limits.max_messages
        held = frame if near and self.window.room > len(self.line) else None
        new = self.line.offer(n, held)
        if new:
            self._mind_gap(now + wait_s)
        return new

    def learn(self, head: int, now: float, wait_s: float) -> None:
        """Learn where the stream ends; what is missing may still be on its way for `wait_s`."""
        self.line.learn(head)
        self._mind_gap(now + wait_s)

    def tail(self, head: int, now: float, wait_s: float) -> bool:
        """Take an answer that says where the stream ends; says whether it knows more than was known
        here. A head below the position is of before, unless it is said twice: then a page tells
        whether the numbering is new."""
        position = self.line.position
        if head > self.line.head:
            self.learn(head, now, wait_s)
            return True
        if head < position:
            self.must_ask |= self._low_at == position
            self._low_at = position
        return False

    def wants_page(self, now: float, wait_s: float) -> bool:
        """Say whether to ask for a page now; `ask_at` says when to look again, if ever."""
        if self.asking:
            return False
        if self.must_ask:
            return self.ask_at is None or now >= self.ask_at
        if not self.line.missing:
            self.ask_at = None
            return False
        self._mind_gap(now + wait_s if len(self.line) else now)
        if self.window.room < self.page_size:
            return False
        return self.ask_at is None or now >= self.ask_at

    def ask(self) -> int:
        """Note that a page is asked for; returns after which number."""
        self.asking, self.must_ask = True, False
        self._asked_head = self.line.head
        return self.line.position

    def answered(self, frames: Sequence[Numbered], head: int) -> None:
        """Take the page."""
        self.asking, self.ask_at, self._gap_at = False, None, -1
        self.line.page(frames, head, self._asked_head)

    def failed(self, again_at: float) -> None:
        """Learn that the page did not come: it may be asked for again from `again_at` on."""
        self.asking = False
        self.must_ask = True
        self.ask_at = again_at

    def _mind_gap(self, ask_at: float) -> None:
        """Give a gap that is new its time."""
        if self.line.missing and self._gap_at != self.line.position:
            self._gap_at, self.ask_at = self.line.position, ask_at
