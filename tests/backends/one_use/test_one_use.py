import random

import pytest
import trio

from backends.one_use.memory import MemoryOneUse
from backends.one_use.redis import RedisOneUse


@pytest.fixture
def one_use(store_world):
    if store_world.redis is None:
        return MemoryOneUse(store_world.now_s)
    return RedisOneUse(store_world.redis, random.Random(7).getrandbits)


async def test_an_id_is_used_once(one_use):
    assert await one_use.use("a", 10)
    assert not await one_use.use("a", 10)
    assert await one_use.use("b", 10)


async def test_of_many_at_once_one_wins(one_use):
    won = []

    async def use():
        won.append(await one_use.use("a", 10))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(use)
    assert sorted(won) == [False] * 19 + [True]


async def test_a_use_is_forgotten_after_its_time(one_use, store_world):
    assert await one_use.use("a", 10)
    await store_world.advance(9)
    assert not await one_use.use("a", 10)
    await store_world.advance(2)
    assert await one_use.use("a", 10)


@pytest.mark.parametrize("store_world", ["redis"], indirect=True)
async def test_the_same_command_again_is_no_second_use(store_world):
    """As the client sends it when the answer to the first was lost: memory loses none."""
    for _ in range(2):
        one_use = RedisOneUse(store_world.redis, lambda bits: 7)
        assert await one_use.use("a", 10)
    assert not await RedisOneUse(store_world.redis, lambda bits: 8).use("a", 10)
