"""Mistakes of one connection, remembered for a while."""

from collections import deque


class Strikes:
    """Counts mistakes; `limit` of them within the window are too many."""

    __slots__ = ("_limit", "_times", "_window_s")

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._times: deque[float] = deque()

    def add(self, now: float) -> bool:
        """Count one; says whether the limit is reached."""
        times = self._times
        times.append(now)
        while times[0] < now - self._window_s:
            times.popleft()
        return len(times) >= self._limit
