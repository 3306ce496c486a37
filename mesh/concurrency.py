"""How many requests may be at work at once: as many as are done in good time.

Additive increase, multiplicative decrease on the time that requests take (Chiu and Jain, "Analysis
of the increase and decrease algorithms for congestion avoidance", 1989). More at work than a busy
machine gets done only makes each of them, and everybody else on the machine, wait. Pure.
"""

CUT = 0.7


class Concurrency:
    """Between one and `most` places; `target_s` is how long a request should take at most."""

    def __init__(self, most: int, target_s: float) -> None:
        self._most = most
        self._target_s = target_s
        self._places = float(most)
        self._cut_at = float("-inf")

    @property
    def places(self) -> int:
        """How many may be at work now."""
        return int(self._places)

    def finished(self, began: float, now: float) -> None:
        """Learn that a request was at work from `began` to `now`."""
        if now - began <= self._target_s:
            self._places = min(self._most, self._places + 1 / self._places)
        elif began >= self._cut_at:
            # Those that began before the last cut say nothing about what it has changed.
            self._places = max(1.0, self._places * CUT)
            self._cut_at = now
