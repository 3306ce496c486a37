"""Rate limits that hold across all instances of a service."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, with so many at once."""

    per_s: float
    burst: int


class RateLimit(Protocol):
    """One `rate` for each key; it may be replaced at any time."""

    rate: Rate

    async def take(self, key: str) -> int:
        """Take one from `key`: 0 when admitted, else after how many milliseconds to ask again.

        Raises `StoreUnavailableError`.
        """


RateLimits = Callable[[str, Rate], RateLimit]
"""Makes the limit of a name."""
