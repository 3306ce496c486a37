"""Both kinds of store, with a clock that the test moves: one suite runs against each."""

from collections.abc import AsyncIterator

import pytest

from backends.redis.client import RedisClient, open_redis
from backends.redis.settings import StoreSettings


class StoreWorld:
    """A store in memory (`redis` is None) or in Redis, and the time as everybody sees it."""

    def __init__(self, redis: RedisClient | None = None) -> None:
        self.redis = redis
        self._now_ms = 1_790_000_000_000

    def now_ms(self) -> int:
        return self._now_ms

    def now_s(self) -> float:
        return self._now_ms / 1000

    async def advance(self, seconds: float) -> None:
        """Let time pass: for the clock, and for every key that expires by the server's clock."""
        passed_ms = round(seconds * 1000)
        self._now_ms += passed_ms
        if self.redis is None:
            return
        keys = await self.redis.call("", ("KEYS", "*"))
        left = await self.redis.call_many("", [("PTTL", key) for key in keys])
        shorter = [
            ("PEXPIRE", key, ttl - passed_ms)
            for key, ttl in zip(keys, left, strict=True)
            if ttl > 0
        ]
        await self.redis.call_many("", shorter)


@pytest.fixture(params=["memory", "redis"])
async def store_world(request) -> AsyncIterator[StoreWorld]:
    if request.param == "memory":
        yield StoreWorld()
        return
    server = request.getfixturevalue("shared_redis")
    async with open_redis(StoreSettings(url=server.url)) as redis:
        yield StoreWorld(redis)
