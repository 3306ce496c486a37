"""What only Redis has: answers that are lost, data that is lost, keys that run out."""

import random

import pytest

from backends.heat.interface import Tag, Transition
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


class Meddled:
    """A store in which somebody else does something between our reading and our writing."""

    def __init__(self, redis, *others):
        self.redis, self.others = redis, list(others)

    async def call(self, key, command):
        reply = await self.redis.call(key, command)
        if command[0] == "HGET" and self.others:
            await self.redis.call(key, self.others.pop())
        elif command[0] == "EVALSHA":
            # The answer was lost, and the command is sent again.
            assert await self.redis.call(key, command) == reply
        return reply


TAGS = "rm:{rules}:tags"
OPERATORS = b'{"by":"operator", "hot_at_ms":[1]}'


def hot_again(tag):
    return Tag("", (2,)) if tag is None else Tag(tag.by, (*tag.hot_at_ms, 2))


@pytest.mark.parametrize(
    ("other", "left"),
    [
        (("HDEL", TAGS, "a"), Tag("", (2,))),
        (("HSET", TAGS, "a", OPERATORS), Tag("operator", (1, 2))),
        (("PING",), Tag("history", (7, 2))),
    ],
)
async def test_a_tag_that_changes_while_it_is_read_is_read_again(redis, other, left):
    heat = RedisHeat(Meddled(redis, other), random_bits=lambda bits: 7)
    await redis.call("", ("HSET", TAGS, "a", b'{"by":"history","hot_at_ms":[7]}'))
    assert (await heat.retag("a", hot_again)).after == left
    assert dict(await heat.tags()) == {"a": left}


async def test_a_tag_that_is_taken_away_meanwhile_does_not_come_back_by_fading(redis):
    heat = RedisHeat(Meddled(redis, ("HDEL", TAGS, "a")), random_bits=lambda bits: 7)
    await redis.call("", ("HSET", TAGS, "a", OPERATORS))
    await heat.retag("a", lambda tag: tag and Tag(tag.by))
    assert dict(await heat.tags()) == {}
