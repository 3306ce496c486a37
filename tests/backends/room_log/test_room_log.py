import json
import random

import pytest

from backends.room_log.memory import MemoryRoomLog
from backends.room_log.redis import RedisRoomLog
from backends.room_log.retention import Retention
from proto.headers import HeadsHeader
from proto.priorities import Priority
from proto.server_frames import room_push
from proto.services import FetchBody

URGENT, NORMAL, BULK = Priority
RETENTION = Retention(messages=100)


@pytest.fixture
def log(store_world):
    bits = random.Random(7).getrandbits
    if store_world.redis is None:
        return MemoryRoomLog(RETENTION, now_ms=store_world.now_ms, random_bits=bits)
    return RedisRoomLog(store_world.redis, RETENTION, now_ms=store_world.now_ms, random_bits=bits)


@pytest.fixture
def say(log, store_world):
    async def say(room, mid, priority=NORMAL, uid="ann", text="hi"):
        push = room_push("chat", room, priority, json.dumps({"text": text}).encode())
        now_ms = store_world.now_ms()
        return await log.append(room, priority, push, uid=uid, mid=mid, ts_ms=now_ms)

    return say


async def test_numbers_each_stream_by_itself(say):
    stands = [await say("a", f"m{i}") for i in range(3)]
    urgent = await say("a", "u1", URGENT)
    other = await say("b", "m0")
    assert [s.seq for s in stands] == [1, 2, 3]
    assert urgent.seq == other.seq == 1
    assert {s.epoch for s in [*stands, urgent]} == {stands[0].epoch}
    assert other.epoch != stands[0].epoch
    assert not any(s.again for s in [*stands, urgent, other])


async def test_the_same_mid_gets_the_first_answer(say, log, store_world):
    first = await say("a", "m1", URGENT)
    await store_world.advance(200)
    again = await say("a", "m1", NORMAL)
    assert again.again
    assert (again.priority, again.epoch, again.seq, again.ts_ms) == (
        URGENT,
        first.epoch,
        first.seq,
        first.ts_ms,
    )
    assert (await log.heads("a")).seqs == (1, 0, 0)


async def test_a_mid_counts_for_one_user_in_one_room(say):
    await say("a", "m1")
    assert not (await say("a", "m1", uid="bob")).again
    assert not (await say("b", "m1")).again


async def test_a_mid_is_forgotten_after_the_deduplication_age(say, store_world):
    await say("a", "m1")
    await store_world.advance(301)
    assert (await say("a", "m1")).seq == 2


async def test_a_room_has_its_epoch_before_its_first_message(say, log):
    heads = await log.heads("a")
    assert heads.epoch
    assert heads.seqs == (0, 0, 0)
    assert await log.heads("a") == heads
    assert await log.active_heads() == {}
    first = await say("a", "m1")
    assert (first.epoch, first.seq) == (heads.epoch, 1)


async def test_a_fetch_from_a_room_that_nobody_knows_finds_nothing(log):
    answer = await log.fetch("nowhere", FetchBody(NORMAL, "x", 1, 0))
    assert (answer.epoch, answer.head_seq, answer.oldest_seq, answer.frames) == ("", 0, 1, [])


async def test_fetch_returns_finished_frames(say, log):
    for i in range(5):
        await say("a", f"m{i}", text=f"t{i}")
    epoch = (await log.heads("a")).epoch
    answer = await log.fetch("a", FetchBody(NORMAL, epoch, 2, 4))
    assert [seq for seq, _ in answer.frames] == [2, 3, 4]
    assert json.loads(answer.frames[0][1]) == {
        "epoch": epoch,
        "seq": 2,
        "push": "chat",
        "room": "a",
        "priority": "normal",
        "text": "t1",
    }
    assert (answer.epoch, answer.head_seq, answer.oldest_seq) == (epoch, 5, 1)


@pytest.mark.parametrize(
    ("body", "seqs"),
    [
        ((4, 0, 0), [4, 5]),
        ((0, 2, 0), [1, 2]),
        ((6, 9, 0), []),
        ((4, 3, 0), []),
        ((0, 0, 2), [4, 5]),
        ((0, 0, 99), [1, 2, 3, 4, 5]),
        ((2**53 - 1, 2**53 - 1, 0), []),
    ],
)
async def test_fetch_of_ranges(say, log, body, seqs):
    for i in range(5):
        await say("a", f"m{i}")
    epoch = (await log.heads("a")).epoch
    first, last, newest = body
    answer = await log.fetch("a", FetchBody(NORMAL, epoch, first, last, newest))
    assert [seq for seq, _ in answer.frames] == seqs


async def test_fetch_of_another_epoch_tells_the_epoch_and_no_frames(say, log):
    stands = await say("a", "m1")
    answer = await log.fetch("a", FetchBody(NORMAL, "old", 1, 0))
    assert (answer.epoch, answer.head_seq, answer.frames) == (stands.epoch, 1, [])


async def test_messages_go_after_a_minute_but_numbers_stay(say, log, store_world):
    for i in range(40):
        await say("a", f"old{i}")
    await store_world.advance(59)
    await say("a", "young")
    await store_world.advance(2)
    epoch = (await log.heads("a")).epoch
    answer = await log.fetch("a", FetchBody(NORMAL, epoch, 1, 0))
    assert ([seq for seq, _ in answer.frames], answer.oldest_seq) == ([41], 41)
    await store_world.advance(61)
    answer = await log.fetch("a", FetchBody(NORMAL, epoch, 1, 0))
    assert (answer.frames, answer.head_seq, answer.oldest_seq) == ([], 41, 42)
    assert (await say("a", "next")).seq == 42


async def test_the_log_is_bounded_by_count(say, log):
    for i in range(350):
        await say("a", f"m{i}")
    answer = await log.fetch("a", FetchBody(NORMAL, "", 0, 0, newest=200))
    assert answer.frames[-1][0] == answer.head_seq == 350
    # Redis drops whole nodes of a hundred: never fewer than asked, at most one node more.
    assert 100 <= 351 - answer.oldest_seq <= 200


async def test_fetch_is_bounded(log, say):
    for i in range(100):
        await say("a", f"m{i}")
    answer = await log.fetch("a", FetchBody(NORMAL, "", 0, 0, newest=10**9))
    assert len(answer.frames) == 100


async def test_rooms_stay_active_for_longer_than_their_messages_are_kept(say, log, store_world):
    await say("old", "m1")
    await store_world.advance(90)
    young = await say("young", "m1", URGENT)
    old = await log.fetch("old", FetchBody(NORMAL, young.epoch, 1, 0))
    assert (old.frames, old.oldest_seq) == ([], 2)
    assert set(await log.active_heads()) == {"old", "young"}
    await store_world.advance(40)
    assert await log.active_heads() == {"young": HeadsHeader(young.epoch, (1, 0, 0))}
