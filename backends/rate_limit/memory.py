"""A rate limit within one process, for tests: generic cell rate algorithm (ITU-T I.371)."""

import math
from collections.abc import Callable

from backends.rate_limit.interface import Rate


class MemoryRateLimit:
    """Implements `RateLimit`."""

    def __init__(self, rate: Rate, now_ms: Callable[[], int]) -> None:
        self.rate = rate
        self._now_ms = now_ms
        self._arrivals: dict[str, float] = {}

    async def take(self, key: str) -> int:
        """See `RateLimit`."""
        now_ms, gap_ms = self._now_ms(), 1000 / self.rate.per_s
        arrival = max(self._arrivals.get(key, 0.0), now_ms)
        wait_ms = arrival - (self.rate.burst - 1) * gap_ms - now_ms
        if wait_ms > 0:
            return math.ceil(wait_ms)
        self._arrivals[key] = arrival + gap_ms
        return 0
