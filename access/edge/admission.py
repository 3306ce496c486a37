"""Whom a storm of connects may hold up: how many connections open at a turn of the loop, how many
are opening at once, and when the rest are sent away. Pure.

Opening a connection costs as much as a hundred deliveries, and all of them share one loop: each
turn of it accepts some, then reads, then writes to a chunk of sockets. What those connected feel of
a storm is how long turns are. So few open at a turn while a round is being written, and in between
as many as make a turn of the wanted length (additive increase, multiplicative decrease on the time
that the turn worked: what other processes take of the core is no reason to open fewer). Whoever has
no turn yet waits in the kernel's queue. A burst drains from there; when the queue has been standing
for `wait_s`, as CoDel has it (Nichols and Jacobson, "Controlling Queue Delay", 2012), it will not
drain in time, and a part of it is sent away with each turn.
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

HOLD_S = 1.0
"""A place is held so long at most: whoever connects and then says nothing must not keep out those
who do. What it costs to go on with an opening later was let in before."""


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
        self._turn_s = turn_s
        self._wait_s = wait_s
        self._began: float | None = None
        self._standing_since: float | None = None

    def turn(self, now: float, worked: float, *, free: int, busy: bool, shut: bool) -> Turn:
        """Begin a turn, with the time and the CPU time that the loop has used so far.

        `free` places are left; `busy`: a round is being written; `shut`: everybody is sent away.
        """
        if self._standing_since is None:
            self._standing_since = now
        if self._began is not None:
            self._adapt(worked - self._began)
        self._began = None if busy else worked
        most = LEAST if busy else int(self.per_turn)
        late = shut or now - self._standing_since >= self._wait_s
        refusals = most * (1 if busy else REFUSALS_PER_OPENING) if late else 0
        return Turn(0 if shut else max(0, min(most, free)), refusals)

    def rest(self) -> None:
        """Note a pause: until the next turn nothing is learnt."""
        self._began = None

    def drained(self) -> None:
        """Note that nobody waits any more."""
        self._began = self._standing_since = None

    def standing_s(self, now: float) -> float:
        """Return for how long somebody has been waiting in the kernel's queue."""
        return 0.0 if self._standing_since is None else now - self._standing_since

    def _adapt(self, took: float) -> None:
        if took > self._turn_s:
            self.per_turn = max(float(LEAST), self.per_turn * CUT)
        else:
            self.per_turn = min(float(MOST), self.per_turn + 1)


class Places:
    """Those who are opening: accepted, and their hello not answered yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    @property
    def free(self) -> int:
        """Return how many more may begin."""
        return self._most - len(self._since)

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
