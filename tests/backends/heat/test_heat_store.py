import random
from dataclasses import replace

import pytest
import trio

from backends.heat.interface import Kept, Tag, Transition
from backends.heat.memory import MemoryHeat
from backends.heat.redis import RedisHeat
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.redis import RedisRoomLog
from backends.room_log.retention import Retention
from proto.heat import HeatState, Rule, Ways, Wish
from proto.priorities import Priority

URGENT, NORMAL_LANE, BULK = Priority
NORMAL, PREPARING, MOVING, HOT, COOLING = HeatState


@pytest.fixture
def log(store_world):
    bits = random.Random(7).getrandbits
    if store_world.redis is None:
        return MemoryRoomLog(Retention(), now_ms=store_world.now_ms, random_bits=bits)
    return RedisRoomLog(store_world.redis, Retention(), now_ms=store_world.now_ms, random_bits=bits)


@pytest.fixture
def heat(log, store_world):
    if store_world.redis is None:
        return MemoryHeat(log)
    return RedisHeat(store_world.redis, random_bits=random.Random(8).getrandbits)


@pytest.fixture
def say(log, store_world):
    async def say(mid, priority=NORMAL_LANE):
        return await log.append(
            "a", priority, b"{}", uid="ann", mid=mid, ts_ms=store_world.now_ms()
        )

    return say


@pytest.fixture
def go(heat, store_world):
    async def go(fence, to, pool="hot-1", **rest):
        return await heat.advance(Transition("a", fence, to, pool, **rest), store_world.now_ms())

    return go


async def test_a_room_that_was_never_hot_has_no_rule(heat, log, say):
    assert await heat.load("a") is None
    assert (await say("m1")).ways == Ways()
    assert (await log.heads("a")).rule is None


async def test_an_advance_fences_the_numbers_of_each_priority(heat, log, say, go, store_world):
    for mid in "xyz":
        await say(mid)
    await say("u", URGENT)
    rule = await go(0, MOVING, spread_ms=20_000, detail=b"d")
    assert (rule.state, rule.pool, rule.firsts, rule.spread_ms) == (
        MOVING,
        "hot-1",
        (2, 4, 1),
        20_000,
    )
    assert rule.fence >= store_world.now_ms()
    assert await heat.load("a") == Kept(rule, store_world.now_ms(), b"d")
    assert (await log.heads("a")).rule == rule
    behind = await say("m4")
    assert (behind.seq, behind.ways) == (4, rule.ways)


async def test_messages_go_the_ways_of_the_state_that_they_are_numbered_in(say, go):
    seen, fence = [], 0
    for number, state in enumerate((PREPARING, MOVING, HOT, COOLING, NORMAL)):
        fence = (await go(fence, state)).fence
        ways = (await say(f"m{number}")).ways
        assert ways.fence == fence
        seen.append((ways.ordinary, ways.pool))
    assert seen == [(True, ""), (True, "hot-1"), (False, "hot-1"), (True, "hot-1"), (True, "")]


async def test_a_repeated_message_goes_the_ways_of_now(say, go):
    await say("m1")
    rule = await go(0, HOT)
    assert (await say("m1")).ways == rule.ways


async def test_an_older_fence_changes_nothing(heat, go):
    first = await go(0, PREPARING)
    second = await go(first.fence, MOVING)
    assert second.fence > first.fence
    assert await go(first.fence, NORMAL) is None
    assert await go(0, HOT) is None
    assert not await heat.keep("a", first.fence, b"late")
    assert await heat.keep("a", second.fence, b"new")
    kept = await heat.load("a")
    assert (kept.rule, kept.detail) == (second, b"new")


async def test_fences_grow_when_the_clock_goes_back(go, store_world):
    first = await go(0, PREPARING)
    await store_world.advance(-1000)
    second = await go(first.fence, MOVING)
    assert second.fence == first.fence + 1


async def test_the_rules_know_the_newest_of_each_room(heat):
    assert dict((await heat.rules()).by_room) == {}
    old = Rule("a", PREPARING, 5)
    new, other = replace_rule(old, MOVING, 6), Rule("b", HOT, 3)
    version = await heat.publish(old)
    assert await heat.publish(old) == version
    newer = await heat.publish(new)
    assert newer > version
    await heat.publish(old)
    await heat.publish(other)
    rules = await heat.rules()
    assert dict(rules.by_room) == {"a": new, "b": other}
    assert rules.version > newer
    await heat.forget("a", 5)
    assert "a" in (await heat.rules()).by_room
    await heat.forget("a", 6)
    after = await heat.rules()
    assert dict(after.by_room) == {"b": other}
    assert after.version > rules.version
    await heat.forget("nowhere", 9)
    assert await heat.rules() == after


def replace_rule(rule, state, fence):
    return Rule(rule.room, state, fence, rule.pool)


async def test_gateways_acknowledge(heat):
    assert dict(await heat.acknowledged()) == {}
    await heat.acknowledge("router-1", 7)
    await heat.acknowledge("router-2", 7)
    await heat.acknowledge("router-1", 9)
    assert dict(await heat.acknowledged()) == {"router-1": 9, "router-2": 7}


async def test_tags_are_kept_until_they_are_taken_away(heat):
    tag = Tag("operator", (1, 2))
    assert await heat.retag("a", lambda _: tag) == (None, tag)
    await heat.retag("b", lambda _: Tag())
    assert await heat.retag("b", hot_at(9)) == (Tag(), Tag("", (9,)))
    assert dict(await heat.tags()) == {"a": tag, "b": Tag("", (9,))}
    await heat.untag("a")
    await heat.untag("nowhere")
    assert set(await heat.tags()) == {"b"}
    assert await heat.retag("b", lambda _: None) == (Tag("", (9,)), None)
    assert await heat.retag("b", lambda _: None) == (None, None)
    assert dict(await heat.tags()) == {}


def hot_at(at_ms):
    def change(tag):
        tag = tag or Tag()
        return replace(tag, hot_at_ms=(*tag.hot_at_ms, at_ms))

    return change


async def test_changes_of_a_tag_at_one_moment_undo_none_of_them(heat):
    async with trio.open_nursery() as nursery:
        for at_ms in range(8):
            nursery.start_soon(heat.retag, "a", hot_at(at_ms))
        nursery.start_soon(heat.retag, "a", lambda tag: replace(tag or Tag(), by="operator"))
    tag = (await heat.tags())["a"]
    assert tag.by == "operator"
    assert sorted(tag.hot_at_ms) == list(range(8))


async def test_a_wish_holds_until_the_next(heat):
    await heat.wish("a", Wish.HOT)
    await heat.wish("b", Wish.COOL)
    await heat.wish("a", Wish.COOL)
    assert dict(await heat.wishes()) == {"a": Wish.COOL, "b": Wish.COOL}
    await heat.wish("a", Wish.AUTO)
    assert dict(await heat.wishes()) == {"b": Wish.COOL}
