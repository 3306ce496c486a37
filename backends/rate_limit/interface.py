"""Rate limits that hold across all instances of a service."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

EPSILON_S = 1e-9
"""What sums of fractions may be off."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, with so many at once.

    Generic cell rate algorithm (ITU-T I.371): all that is to be kept of one key is when its whole
    burst is there again. Whoever takes from it asks `after` what that will be then, and keeps it if
    it is not more than `burst_s` from now.
    """

    per_s: float
    burst: int
    gap_s: float = field(init=False, repr=False, compare=False)
    """Between two at an even pace."""
    burst_s: float = field(init=False, repr=False, compare=False)
    """In which a whole burst comes back, and what sums of fractions may be off."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "gap_s", 1 / self.per_s)
        object.__setattr__(self, "burst_s", self.burst / self.per_s + EPSILON_S)

    def after(self, full_at: float, now: float, cost: float = 1) -> float:
        """Return when the whole burst is there again after `cost` is taken now."""
        return (full_at if full_at > now else now) + cost * self.gap_s

    def wait_s(self, after: float, now: float) -> float:
        """Return for how long whoever gets `after` from above has to wait; 0: not at all."""
        wait_s = after - now - self.burst_s
        return wait_s if wait_s > 0 else 0.0


class RateLimit(Protocol):
    """One `rate` for each key; it may be replaced at any time."""

    rate: Rate

    async def take(self, key: str) -> int:
        """Take one from `key`: 0 when admitted, else after how many milliseconds to ask again.

        Raises `StoreUnavailableError`.
        """


RateLimits = Callable[[str, Rate], RateLimit]
"""Makes the limit of a name."""
