import pytest

from backends.rate_limit.interface import Rate
from backends.rate_limit.memory import MemoryRateLimit
from backends.rate_limit.redis import RedisRateLimit

RATE = Rate(per_s=5, burst=10)


@pytest.fixture
def limit(store_world):
    if store_world.redis is None:
        return MemoryRateLimit(RATE, store_world.now_ms)
    return RedisRateLimit(store_world.redis, "urgent", RATE, now_ms=store_world.now_ms)


async def test_a_burst_then_the_rate(limit, store_world):
    assert [await limit.take("ann") for _ in range(12)] == [0] * 10 + [200, 200]
    await store_world.advance(0.199)
    assert await limit.take("ann") == 1
    await store_world.advance(0.001)
    assert [await limit.take("ann") for _ in range(2)] == [0, 200]
    await store_world.advance(2)
    assert [await limit.take("ann") for _ in range(11)] == [0] * 10 + [200]


async def test_each_key_has_its_own(limit):
    for _ in range(10):
        await limit.take("ann")
    assert await limit.take("bob") == 0
