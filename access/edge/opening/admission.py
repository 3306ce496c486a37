"""Whom a storm of connects may hold up: how many connections open at a turn of the loop, how many
are opening at once, and when the rest are sent away. Pure.

Opening a connection costs as much as a hundred deliveries, and all of them share one loop: each
turn of it accepts some, then reads, then writes to a chunk of sockets. What those connected feel of
a storm is how long turns are. So few open at a turn while a round is being written, and in between
as many as make a turn of the wanted length (additive increase, multiplicative decrease on the time
that the turn worked: what other processes take of the core is no reason to open fewer). Whoever has
no turn yet waits in the kernel's queue. A burst drains from there; a queue that takes longer than
`wait_s` at the rate at which it is served will not, and a part of it is sent away with each turn.
It is the wait that counts, not the length (Nichols and Jacobson, "Controlling Queue Delay", 2012),
unless the queue is about to overflow: then the kernel drops who comes, without a word.
"""

from collections.abc import Hashable
from typing import NamedTuple

FIRST = 16
LEAST = 4
"""At a turn, however long turns are, and while a round is written: some come in even where the
fan-out takes all it can get."""

MOST = 64
CUT = 0.7
REFUSALS_PER_OPENING = 4
"""A refusal takes a fourth of the time that an opening takes, at most."""

WINDOW_S = 0.2
"""For how long the rate is measured: some dozens of turns."""

HOLD_S = 1.0
"""A place is held so long at most: whoever connects and then says nothing must not keep out those
who do. What it costs to go on with an opening later was let in before."""


FULL = 0.75
"""Of the kernel's queue: beyond it a part is sent away, however quickly it is served."""


class Queue(NamedTuple):
    """Who waits in the kernel's queue, and how many it holds."""

    waiting: int
    most: int

    @property
    def filling(self) -> bool:
        """Whether it is about to overflow."""
        return self.waiting >= self.most * FULL


class Turn(NamedTuple):
    """How many connections a turn of the loop opens, and how many more it sends away."""

    opens: int
    refusals: int


class Pace:
    """Decides for one listener, turn by turn. Times are seconds.

    `turn_s` is how long a turn should work at most, `wait_s` how long clients may wait.
    """

    def __init__(self, turn_s: float, wait_s: float) -> None:
        self.per_turn = float(FIRST)
        """How many open at a turn now, while no round is being written."""
        self.turn_s = turn_s
        self.wait_s = wait_s
        self._began: float | None = None
        self._standing_since: float | None = None
        self._window_began = 0.0
        self._served = 0
        self._per_s: float | None = None
        """How many left the queue in a second of the last window."""

    def turn(
        self, now: float, worked: float, *, free: int, busy: bool, shut: bool, queue: Queue | None
    ) -> Turn:
        """Begin a turn, with the time and the CPU time that the loop has used so far.

        `free` places are left; `busy`: a round is being written; `shut`: everybody is sent away;
        `queue`: `None` where the kernel does not tell: then one that has been standing for `wait_s`
        is too long.
        """
        if self._standing_since is None:
            self._standing_since = self._window_began = now
            self._served, self._per_s = 0, None
        self._measure(now)
        if self._began is not None:
            self._adapt(worked - self._began)
        self._began = None if busy else worked
        most = LEAST if busy else int(self.per_turn)
        filling = queue is not None and queue.filling
        late = shut or filling or self._waits_s(now, queue) >= self.wait_s
        refusals = most * (REFUSALS_PER_OPENING if filling or not busy else 1) if late else 0
        opens = 0 if shut else max(0, min(most, free))
        self._served += opens + refusals
        return Turn(opens, refusals)

    def rest(self) -> None:
        """Note a pause: until the next turn nothing is learnt."""
        self._began = None

    def drained(self) -> None:
        """Note that nobody waits any more."""
        self._began = self._standing_since = None

    def standing_s(self, now: float) -> float:
        """Return for how long somebody has been waiting in the kernel's queue."""
        return 0.0 if self._standing_since is None else now - self._standing_since

    def _measure(self, now: float) -> None:
        if now - self._window_began >= WINDOW_S:
            self._per_s = self._served / (now - self._window_began)
            self._window_began, self._served = now, 0

    def _waits_s(self, now: float, queue: Queue | None) -> float:
        """Return how long whoever comes now will wait."""
        if queue is None:
            return self.standing_s(now)
        return queue.waiting / max(self._per_s, 1.0) if self._per_s is not None else 0.0

    def _adapt(self, took: float) -> None:
        if took > self.turn_s:
            self.per_turn = max(float(LEAST), self.per_turn * CUT)
        else:
            self.per_turn = min(float(MOST), self.per_turn + 1)


class Places:
    """Those who are opening: accepted, and their hello not answered yet."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._since: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    @property
    def free(self) -> int:
        """Return how many more may begin."""
        return self.most - len(self._since)

    def expire(self, now: float) -> None:
        """Take their places from those who have said nothing for `HOLD_S`.

        Only while all that they say is read in time: else it is not they who are late.
        """
        while self._since:
            first = next(iter(self._since))
            if now - self._since[first] < HOLD_S:
                break
            del self._since[first]

    def enter(self, who: Hashable, now: float) -> None:
        """Take a place. The clock never goes back, so the first to enter is the first to expire."""
        self._since[who] = now

    def leave(self, who: Hashable) -> None:
        """Give the place back, if it is still held."""
        self._since.pop(who, None)
