"""What only Redis has: answers that are lost, data that is lost, keys that run out."""

import random

import pytest

from backends.heat.interface import Transition
from backends.heat.redis import RedisHeat
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from proto.heat import HeatState, Rule

ROOM_KEY = "rm:{a}:heat"


@pytest.fixture
async def redis(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        yield redis


@pytest.fixture
def heat(redis):
    return RedisHeat(redis, random_bits=random.Random(8).getrandbits)


async def test_a_transition_that_is_sent_again_is_made_once(redis):
    same = RedisHeat(redis, random_bits=lambda bits: 7)
    transition = Transition("a", 0, HeatState.PREPARING, "")
    first = await same.advance(transition, 1000)
    assert await same.advance(transition, 2000) == first
    other = RedisHeat(redis, random_bits=lambda bits: 8)
    assert await other.advance(transition, 2000) is None


async def test_a_store_that_lost_everything_makes_no_older_fence(heat, redis):
    before = await heat.advance(Transition("a", 0, HeatState.HOT, "p"), 1_790_000_000_000)
    version = await heat.publish(before)
    await redis.call("", ("FLUSHALL",))
    after = await heat.advance(Transition("a", 0, HeatState.NORMAL, "p"), 1_790_000_001_000)
    assert after.fence > before.fence
    assert await heat.publish(after) >= version


async def test_a_normal_rooms_rule_runs_out_and_no_other(heat, redis):
    rule = await heat.advance(Transition("a", 0, HeatState.NORMAL, ""), 1000)
    assert await redis.call("a", ("PTTL", ROOM_KEY)) > 0
    await heat.advance(Transition("a", rule.fence, HeatState.HOT, "p"), 1000)
    assert await redis.call("a", ("PTTL", ROOM_KEY)) == -1


async def test_an_index_whose_version_is_lost_is_told_anew(heat, redis):
    rule = Rule("a", HeatState.HOT, 5, "p")
    await heat.publish(rule)
    await redis.call("", ("DEL", "rm:{rules}:version"))
    assert await heat.publish(rule) > 0


async def test_gateways_that_are_silent_are_forgotten(heat, redis):
    await redis.call("", ("HSET", "rm:{rules}:acknowledged", "gone", "3 1000"))
    await heat.acknowledge("router-1", 4)
    assert dict(await heat.acknowledged()) == {"router-1": 4}
