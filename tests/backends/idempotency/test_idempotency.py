"""One suite for idempotency keys, in memory and in Redis."""

import pytest
import trio

from backends.idempotency.interface import HOLD_S, KEEP_S, Begun, Standing
from backends.idempotency.memory import MemoryIdempotency
from backends.idempotency.redis import RedisIdempotency

NEW, BUSY, OTHER = Begun(Standing.NEW), Begun(Standing.BUSY), Begun(Standing.OTHER)


@pytest.fixture
def keys(store_world):
    if store_world.redis is None:
        return MemoryIdempotency(store_world.now_s)
    return RedisIdempotency(store_world.redis)


async def test_a_call_is_done_once_and_then_answered_from_what_is_kept(keys):
    assert await keys.begin("shop", "k", "r1", "a") == NEW
    assert await keys.begin("shop", "k", "r1", "b") == BUSY
    await keys.finish("shop", "k", "a", b"\x00answer")
    assert await keys.begin("shop", "k", "r1", "c") == Begun(Standing.DONE, b"\x00answer")


async def test_another_request_under_the_same_key_is_told_apart(keys):
    assert await keys.begin("shop", "k", "r1", "a") == NEW
    assert await keys.begin("shop", "k", "r2", "b") == OTHER
    await keys.finish("shop", "k", "a", b"1")
    assert await keys.begin("shop", "k", "r2", "b") == OTHER


async def test_each_caller_has_keys_of_its_own(keys):
    assert await keys.begin("shop", "k", "r1", "a") == NEW
    assert await keys.begin("shop:k", "", "r2", "b") == NEW
    assert await keys.begin("game", "k", "r3", "c") == NEW


async def test_a_key_that_was_given_back_is_new(keys):
    assert await keys.begin("shop", "k", "r1", "a") == NEW
    await keys.abandon("shop", "k", "somebody-else")
    assert await keys.begin("shop", "k", "r1", "b") == BUSY
    await keys.abandon("shop", "k", "a")
    assert await keys.begin("shop", "k", "r2", "c") == NEW


async def test_an_answer_is_neither_given_back_nor_replaced(keys):
    await keys.begin("shop", "k", "r1", "a")
    await keys.finish("shop", "k", "a", b"1")
    await keys.abandon("shop", "k", "a")
    await keys.finish("shop", "k", "late", b"2")
    assert await keys.begin("shop", "k", "r1", "b") == Begun(Standing.DONE, b"1")


async def test_the_same_attempt_again_is_no_other(keys):
    """As the client sends it when the answer to the first was lost."""
    assert await keys.begin("shop", "k", "r1", "a") == NEW
    assert await keys.begin("shop", "k", "r1", "a") == NEW


async def test_a_call_that_never_ends_lets_go(keys, store_world):
    await keys.begin("shop", "k", "r1", "a")
    await store_world.advance(HOLD_S - 1)
    assert await keys.begin("shop", "k", "r1", "b") == BUSY
    await store_world.advance(2)
    assert await keys.begin("shop", "k", "r2", "b") == NEW


async def test_an_answer_is_kept_for_a_day(keys, store_world):
    await keys.begin("shop", "k", "r1", "a")
    await keys.finish("shop", "k", "a", b"1")
    await store_world.advance(KEEP_S - 1)
    assert (await keys.begin("shop", "k", "r1", "b")).standing is Standing.DONE
    await store_world.advance(2)
    assert await keys.begin("shop", "k", "r2", "b") == NEW


async def test_of_many_at_once_one_is_new(keys):
    found = []

    async def begin(use):
        found.append(await keys.begin("shop", "k", "r1", use))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(begin, f"use-{number}")
    assert (found.count(NEW), found.count(BUSY)) == (1, 19)
