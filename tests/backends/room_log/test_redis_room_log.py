"""What only a real server can show: crashes, lost data, lost answers."""

import random
import time

import pytest
import trio

from backends.errors import StoreUnavailableError
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from backends.room_log.redis import RedisRoomLog
from backends.room_log.retention import Retention
from proto.priorities import Priority
from proto.services import FetchBody


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def room_log(redis):
    return RedisRoomLog(redis, Retention(), now_ms=now_ms, random_bits=random.getrandbits)


async def append(log, mid, room="a"):
    return await log.append(
        room, Priority.NORMAL, b'"push":"chat"}', uid="ann", mid=mid, ts_ms=now_ms()
    )


async def test_nothing_acknowledged_is_lost_and_nothing_doubled_when_redis_is_killed(redis_server):
    acknowledged = {}

    async def sender(log, name):
        for i in range(150):
            stands = await append(log, f"{name}-{i}")
            acknowledged[f"{name}-{i}"] = stands.seq

    async with open_redis(StoreSettings(url=redis_server.url, timeout_s=5)) as redis:
        log = room_log(redis)
        async with trio.open_nursery() as nursery:
            for name in "abcd":
                nursery.start_soon(sender, log, name)
            while len(acknowledged) < 100:
                await trio.lowlevel.checkpoint()
            await trio.to_thread.run_sync(redis_server.restart)
        # No sender saw the crash; each message has a number of its own, without holes.
        assert sorted(acknowledged.values()) == list(range(1, 601))
        assert (await log.heads("a")).seqs == (0, 600, 0)
        answer = await log.fetch("a", FetchBody(1, "", 0, 0, newest=200))
        assert [seq for seq, _ in answer.frames] == list(range(401, 601))
        again = await append(log, "a-0")
        assert (again.seq, again.again) == (acknowledged["a-0"], True)


async def test_an_append_whose_answer_was_lost_is_done_once_and_is_no_repetition(shared_redis):
    """The client of the store sends such a call again by itself; the message must still go out."""
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        sent = []
        call_many = redis.call_many

        async def call_twice(key, commands):
            sent.append(await call_many(key, commands))
            return await call_many(key, commands)

        redis.call_many = call_twice
        first = await append(room_log(redis), "m1")
        assert sent[0][1][1] == first.seq == 1
        assert not first.again
        assert (await append(room_log(redis), "m1")).again
        assert (await append(room_log(redis), "m2")).seq == 2


async def test_ids_of_messages_that_nobody_repeats_are_soon_forgotten(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        log = room_log(redis)
        for uid in ("", "ann"):
            await log.append("a", Priority.BULK, b"{}", uid=uid, mid="m1", ts_ms=1)
        ages_s = [await redis.call("a", ("TTL", f"rm:{{a}}:mid:m1:{uid}")) for uid in ("", "ann")]
    assert ages_s[0] <= 10 < 290 <= ages_s[1]


async def test_the_epoch_changes_when_the_data_is_lost(redis_server):
    async with open_redis(StoreSettings(url=redis_server.url)) as redis:
        log = room_log(redis)
        before = await append(log, "m1")
        redis_server.kill()
        redis_server.lose_data()
        redis_server.start()
        fresh = await log.heads("a")
        after = await append(log, "m2")
        assert (after.seq, after.again) == (1, False)
        assert after.epoch == fresh.epoch != before.epoch


async def test_a_log_left_behind_by_lost_heads_does_not_stop_the_room(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        log = room_log(redis)
        for i in range(3):
            await append(log, f"m{i}")
        await redis.call("a", ("DEL", "rm:{a}:head"))
        assert (await append(log, "n1")).seq == 1
        answer = await log.fetch("a", FetchBody(1, "", 0, 0, newest=10))
        assert [seq for seq, _ in answer.frames] == [1]


async def test_a_store_that_stays_away_is_unavailable(redis_server):
    settings = StoreSettings(url=redis_server.url, patience_s=0.1)
    async with open_redis(settings) as redis:
        redis_server.kill()
        with pytest.raises(StoreUnavailableError):
            await append(room_log(redis), "m1")
        redis_server.start()
        assert (await append(room_log(redis), "m1")).seq == 1


async def test_keys_expire(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        await append(room_log(redis), "m1")
        keys = await redis.call("", ("KEYS", "*"))
        left = dict(
            zip(keys, await redis.call_many("", [("PTTL", key) for key in keys]), strict=True)
        )
        assert 290_000 < left[b"rm:{a}:mid:m1:ann"] <= 300_000
        assert 50_000 < left[b"rm:{a}:log:normal"] <= 60_000
        assert 600_000_000 < left[b"rm:{a}:head"] <= 604_800_000


async def test_a_room_in_which_nobody_has_spoken_is_forgotten_soon(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        log = room_log(redis)
        left_ms = []
        await log.heads("b")
        left_ms.append(await redis.call("b", ("PTTL", "rm:{b}:head")))
        await log.append("b", Priority.BULK, b"{}", uid="", mid="m1", ts_ms=1)
        left_ms.append(await redis.call("b", ("PTTL", "rm:{b}:head")))
        await log.append("b", Priority.NORMAL, b"{}", uid="ann", mid="m2", ts_ms=1)
        await log.append("b", Priority.BULK, b"{}", uid="", mid="m3", ts_ms=1)
        left_ms.append(await redis.call("b", ("PTTL", "rm:{b}:head")))
    assert all(3_500_000 < left <= 3_600_000 for left in left_ms[:2])
    assert 600_000_000 < left_ms[2] <= 604_800_000
