"""Rate limits that hold across all instances of a service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

EPSILON_S = 1e-9
"""What sums of fractions may be off."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, with so many at once."""

    per_s: float
    burst: int

    def wait_s(self, full_at: float, now: float, cost: float = 1) -> float:
        """Return after how many seconds `cost` is admitted; 0: now.

        Generic cell rate algorithm (ITU-T I.371): `full_at` is when the whole burst is there again,
        all that is to be kept of one key; `after` says what it is then.
        """
        wait_s = self.after(full_at, now, cost) - now - self.burst / self.per_s
        return wait_s if wait_s > EPSILON_S else 0.0

    def after(self, full_at: float, now: float, cost: float = 1) -> float:
        """Return when the whole burst is there again after `cost` is taken now."""
        return max(full_at, now) + cost / self.per_s


class RateLimit(Protocol):
    """One `rate` for each key; it may be replaced at any time."""

    rate: Rate

    async def take(self, key: str) -> int:
        """Take one from `key`: 0 when admitted, else after how many milliseconds to ask again.

        Raises `StoreUnavailableError`.
        """


RateLimits = Callable[[str, Rate], RateLimit]
"""Makes the limit of a name."""
