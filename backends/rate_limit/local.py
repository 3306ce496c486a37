"""Rates within one process, for what is decided without waiting: one rate for each key.

As `memory`, but for any cost, and forgetful: a key that has all of its burst again is dropped, so
that there are no more keys than were used lately.
"""

from backends.rate_limit.interface import Rate

LEAST_SWEPT = 1024
"""Keys below which nothing is swept."""


class LocalRates:
    """One rate for each key; times are seconds of one clock. Pure."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._full_at: dict[str, float] = {}
        """When the key has all of its burst again."""
        self._sweep_at = LEAST_SWEPT

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float, cost: float = 1) -> float:
        """Take `cost` from `key`: 0 when admitted, else the seconds until it would be."""
        rate = self.rate
        after = rate.after(self._full_at.get(key, now), now, cost)
        if after - now > rate.burst_s:
            return rate.wait_s(after, now)
        self._full_at[key] = after
        if len(self._full_at) >= self._sweep_at:
            self._sweep(now)
        return 0.0

    def wait_s(self, key: str, now: float, cost: float = 1) -> float:
        """Return what `take` would, and take nothing."""
        after = self.rate.after(self._full_at.get(key, now), now, cost)
        return self.rate.wait_s(after, now)

    def give_back(self, key: str, cost: float = 1) -> None:
        """Give back what was taken."""
        if key in self._full_at:
            self._full_at[key] -= cost / self.rate.per_s

    def _sweep(self, now: float) -> None:
        """Drop the keys that have their burst again; the next time when twice as many are left, so
        that a key costs a constant."""
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._sweep_at = max(LEAST_SWEPT, 2 * len(self._full_at))
