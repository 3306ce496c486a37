"""How many requests may be under way at once: as many as are answered in good time.

Additive increase, multiplicative decrease on the time that requests take (Chiu and Jain, "Analysis
of the increase and decrease algorithms for congestion avoidance", 1989). More under way than a busy
machine gets done only makes each of them, and everybody else on the machine, wait. Pure.
"""

CUT = 0.7
GROWTH_PER_S = 0.5
"""Of the places there are: all are back some ten seconds after nothing is slow any more."""

STEPS = 200
"""The least growth a second is one of so many parts of all places. Small, since where requests take
milliseconds one place more is hundreds of them a second."""

PATIENCE = 2.0
"""Times the least that a request has taken lately: where nothing is faster, nothing is slow."""

MEMORY_S = 10.0


class Concurrency:
    """Between one and `most` places; `target_s` is what a request may take in any case."""

    def __init__(self, most: int, target_s: float) -> None:
        self.under_way = 0
        self._most = most
        self._target_s = target_s
        self._places = float(most)
        self._grown_at = 0.0
        self._cut_at = float("-inf")
        self._least = _Least()

    def reconfigured(self, most: int, target_s: float) -> None:
        """Have other bounds from now on; what is under way beyond them goes on."""
        self._most, self._target_s = most, target_s
        self._places = min(self._places, float(most))

    def places(self, now: float) -> int:
        """Return how many may be under way now."""
        per_s = self._places * GROWTH_PER_S + self._most / STEPS
        grown = max(0.0, now - self._grown_at) * per_s
        self._places = min(float(self._most), self._places + grown)
        self._grown_at = now
        return int(self._places)

    def free(self, now: float) -> bool:
        """Say whether there is a place."""
        return self.under_way < self.places(now)

    def enter(self) -> None:
        """Take a place."""
        self.under_way += 1

    def leave(self, began: float, now: float, *, overloaded: bool = False) -> None:
        """Give the place back that was taken at `began`; `overloaded` where it was one too many."""
        self.under_way -= 1
        took = now - began
        if not overloaded:
            self._least.take(took, now)
        slow = took > max(self._target_s, PATIENCE * self._least.value)
        # Those that began before the last cut say nothing about what it has changed.
        if (overloaded or slow) and began >= self._cut_at:
            self._places = max(1.0, self.places(now) * CUT)
            self._cut_at = now


class _Least:
    """The least of the values of the last `MEMORY_S` to twice that."""

    def __init__(self) -> None:
        self._before = float("inf")
        self._now = float("inf")
        self._since = float("-inf")

    @property
    def value(self) -> float:
        """The least value; 0.0 before the first."""
        least = min(self._before, self._now)
        return 0.0 if least == float("inf") else least

    def take(self, value: float, now: float) -> None:
        """Take in a value."""
        if now - self._since > MEMORY_S:
            self._before, self._now, self._since = self._now, float("inf"), now
        self._now = min(self._now, value)
