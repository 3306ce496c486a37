"""Mistakes of one connection, remembered for a while."""

from collections import deque


class Strikes:
    """Counts mistakes."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float, limit: int, window_s: float) -> bool:
        """Count one; says whether there are `limit` of them within the window."""
        times = self._times
        times.append(now)
        while times[0] < now - window_s:
            times.popleft()
        return len(times) >= limit
