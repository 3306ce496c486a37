"""A rate limit in Redis: one number for each key, gone when the key is idle again."""

from collections.abc import Callable

from backends.rate_limit.interface import Rate
from backends.redis.client import RedisClient
from backends.redis.scripts import script

_TAKE = script("rate_limit")


class RedisRateLimit:
    """Implements `RateLimit`. Clocks of instances may differ by less than a gap unnoticed."""

    def __init__(
        self, redis: RedisClient, name: str, rate: Rate, *, now_ms: Callable[[], int]
    ) -> None:
        self._redis = redis
        self._name = name
        self.rate = rate
        self._now_ms = now_ms

    async def take(self, key: str) -> int:
        """See `RateLimit`."""
        command = _TAKE.command(
            [f"rm:limit:{self._name}:{key}"],
            self._now_ms(),
            1000 / self.rate.per_s,
            self.rate.burst,
        )
        return int(await self._redis.call(key, command))
