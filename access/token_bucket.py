"""Rates of one connection, without timers."""

from collections import deque


class TokenBucket:
    """Permits `rate` events a second and `burst` at once."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; false when there is none."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """Give back a token that was taken."""
        self._tokens = min(self._burst, self._tokens + 1)

    def wait_ms(self) -> int:
        """Return how long it takes until there is a token again."""
        return max(1, round((1 - self._tokens) / self._rate * 1000))


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
