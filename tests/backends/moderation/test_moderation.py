"""How rooms are moderated, in memory and in Redis, and what the room log makes of it."""

import random

import pytest

from backends.moderation.interface import Change
from backends.moderation.memory import MemoryModeration
from backends.moderation.redis import RedisModeration
from backends.room_log.interface import Payment, Terms
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.redis import RedisRoomLog
from backends.room_log.retention import Retention
from proto import moderation as proto_moderation
from proto.errors import RequestError
from proto.moderation import StateEntry
from proto.priorities import Priority
from proto.roles import RANKS

VIEWER, MODERATOR, HOST, SERVER = 0, 1, 2, 3


@pytest.fixture
def moderation(store_world):
    if store_world.redis is None:
        return MemoryModeration(store_world.now_ms)
    return RedisModeration(store_world.redis, now_ms=store_world.now_ms)


@pytest.fixture
def log(store_world, moderation):
    facts = {"now_ms": store_world.now_ms, "random_bits": random.Random(5).getrandbits}
    if store_world.redis is None:
        return MemoryRoomLog(Retention(), moderation=moderation, **facts)
    return RedisRoomLog(store_world.redis, Retention(), **facts)


@pytest.fixture
def say(log, store_world):
    """Append a message; returns where it stands, or the error's code, field and time to wait."""
    mids = iter(range(1000))

    async def say(uid="ann", rank=VIEWER, *, mid="", room="a", slow=True, **terms):
        try:
            return await log.append(
                room,
                Priority.NORMAL,
                b'"push":"chat"}',
                uid=uid,
                mid=mid or f"m{next(mids)}",
                ts_ms=store_world.now_ms(),
                terms=Terms(rank, slow=slow, **terms),
            )
        except RequestError as error:
            return error.body.code.value, error.body.field, error.body.retry_after_ms

    return say


@pytest.fixture
def change(say, store_world):
    async def change(kind, uid="", *, for_s=0, by="moderator", room="a", **more):
        until_ms = store_world.now_ms() + for_s * 1000 if for_s else 0
        entry = StateEntry(kind, "mo", by, uid, until_ms, **more)
        return await say("mo", SERVER, change=Change(kind, uid, entry, RANKS[by]), room=room)

    return change


async def test_what_holds_is_read_as_it_was_written(moderation, change):
    await change("role", "eve", by="host", role="moderator")
    await change("mute", "bob", for_s=60, reason="be  kind: « »")
    await change("slow", interval_ms=5000)
    entries = await moderation.entries("a")
    assert [(entry.kind, entry.uid) for entry in entries] == [
        ("mute", "bob"),
        ("role", "eve"),
        ("slow", ""),
    ]
    mute, role, slow = entries
    assert (mute.by, mute.by_role, mute.reason) == ("mo", "moderator", "be  kind: « »")
    assert mute.until_ms > 0
    assert (role.role, role.by_role, role.until_ms, role.reason) == ("moderator", "host", 0, "")
    assert slow.interval_ms == 5000
    assert await moderation.entries("b") == []
    assert await moderation.roles("a", ["eve", "bob"]) == ["moderator", ""]


async def test_staff_is_known_for_a_while(moderation, store_world):
    await moderation.note_staff("a", [("hans", "host"), ("mo", "moderator")])
    assert await moderation.staff_role("a", "hans") == "host"
    assert await moderation.staff_role("a", "ann") == ""
    assert await moderation.staff_role("b", "hans") == ""
    assert await moderation.roles("a", ["hans"]) == [""], "that is what was given here"
    await store_world.advance(50)
    await moderation.note_staff("a", [("hans", "host")])
    await store_world.advance(20)
    assert await moderation.staff_role("a", "hans") == "host"
    assert await moderation.staff_role("a", "mo") == ""


async def test_a_mute_holds_for_its_time_and_for_whoever_stands_below(
    say, change, moderation, store_world
):
    await change("mute", "ann", for_s=10)
    assert await say("ann") == ("muted", "room", 10_000)
    assert (await say("bob")).again is False
    assert (await say("ann", MODERATOR)).again is False, "made by an equal"
    assert (await say("ann", room="b")).seq == 1
    await store_world.advance(6)
    assert await say("ann") == ("muted", "room", 4000)
    await store_world.advance(4)
    assert (await say("ann")).again is False
    assert await moderation.entries("a") == []


async def test_a_mute_for_good_ends_when_it_is_taken_back(say, change, store_world):
    await change("mute", "ann")
    await store_world.advance(30 * 24 * 3600)
    assert await say("ann") == ("muted", "room", 0)
    await say("mo", HOST, change=Change("mute", "ann", None, HOST))
    assert (await say("ann")).again is False


async def test_who_is_banned_says_nothing_even_where_its_node_has_not_heard_of_it(
    say, change, store_world
):
    paid = Payment("order-1", 60_000)
    await change("ban", "ann", for_s=10)
    assert await say("ann") == ("banned", "room", 10_000)
    assert await say("ann", payment=paid) == ("banned", "room", 10_000)
    assert (await say("ann", MODERATOR)).again is False, "made by an equal"
    assert (await say("bob")).again is False
    await store_world.advance(10)
    assert (await say("ann", payment=paid)).again is False, "not used by what was refused"


@pytest.mark.parametrize(("kind", "uid"), [("ban", "ann"), ("mute", "ann"), ("slow", "")])
async def test_what_somebody_higher_has_made_stays(say, change, moderation, store_world, kind, uid):
    await change(kind, uid, for_s=20, by="host", interval_ms=5000)
    assert await change(kind, uid, for_s=1) == ("forbidden", "action", 0)
    assert await say("mo", SERVER, change=Change(kind, uid, None, MODERATOR)) == (
        "forbidden",
        "action",
        0,
    )
    (entry,) = await moderation.entries("a")
    assert entry.by_role == "host"
    assert (await change(kind, uid, for_s=2, by="server")).again is False
    await store_world.advance(2)
    assert (await change(kind, uid, for_s=1)).again is False, "what is over holds nobody back"
    assert (await say("mo", SERVER, change=Change(kind, uid, None, MODERATOR))).again is False
    assert await moderation.entries("a") == []


async def test_who_was_answered_before_its_mute_gets_the_same_answer_again(say, change):
    first = await say("ann", mid="one")
    await change("mute", "ann")
    again = await say("ann", mid="one")
    assert (again.seq, again.again) == (first.seq, True)


async def test_slow_mode_spaces_out_each_viewers_messages_and_nobody_elses(
    say, change, store_world
):
    await change("slow", interval_ms=5000)
    first = await say("ann", mid="one")
    code, field, wait_ms = await say("ann")
    assert (code, field) == ("rate_limited", "room")
    assert 4000 < wait_ms <= 5000
    assert (await say("ann", mid="one")).seq == first.seq
    assert (await say("ann", slow=False)).again is False, "a gift"
    assert (await say("bob")).again is False
    for _ in range(2):
        assert (await say("mo", MODERATOR)).again is False
    await store_world.advance(3)
    assert 0 < (await say("ann"))[2] <= 2000
    await store_world.advance(2)
    assert (await say("ann")).again is False
    await say("mo", HOST, change=Change("slow", "", None, HOST))
    assert (await say("ann")).again is False


async def test_a_room_has_so_many_entries_and_no_more(say, change, monkeypatch, store_world):
    for module in ("backends.moderation.memory", "backends.room_log.redis_terms"):
        monkeypatch.setattr(f"{module}.MAX_ENTRIES", 3)
    assert proto_moderation.MAX_ENTRIES == 10_000
    for uid in ("u1", "u2"):
        await change("ban", uid)
    await change("mute", "u3", for_s=10)
    assert await change("mute", "u4") == ("full", "uid", 0)
    assert (await change("ban", "u1", for_s=5)).again is False, "it has its place"
    assert (await change("mute", "u4", room="b")).again is False
    await store_world.advance(10)
    assert (await change("mute", "u4")).again is False


async def test_a_receipt_is_good_for_one_message_however_often_that_is_sent(say, store_world):
    paid = Payment("order-1", 3_600_000)
    first = await say("ann", mid="one", payment=paid)
    assert await say("ann", mid="two", payment=paid) == ("receipt_used", "receipt", 0)
    await store_world.advance(600)  # its mid is forgotten, the receipt is not
    again = await say("ann", mid="one", payment=paid)
    assert (again.seq, again.ts_ms, again.again) == (first.seq, first.ts_ms, True)
    assert await say("ann", mid="two", payment=paid) == ("receipt_used", "receipt", 0)
    assert (await say("ann", payment=Payment("order-2", 1000))).seq == first.seq + 1


async def test_a_receipt_of_a_message_that_was_refused_is_not_used(say, change, store_world):
    await change("mute", "ann", for_s=10)
    assert (await say("ann", mid="one", payment=Payment("o", 60_000)))[0] == "muted"
    await store_world.advance(10)
    assert (await say("ann", mid="two", payment=Payment("o", 60_000))).again is False


async def test_a_message_is_recalled_by_its_mid(say, log, store_world):
    assert await log.recall("a", "ann", "one") is None
    first = await say("ann", mid="one")
    found = await log.recall("a", "ann", "one")
    assert (found.seq, found.epoch, found.ts_ms, found.again) == (
        first.seq,
        first.epoch,
        first.ts_ms,
        True,
    )
    await store_world.advance(301)
    assert await log.recall("a", "ann", "one") is None


@pytest.mark.parametrize("store_world", ["redis"], indirect=True)
async def test_the_store_forgets_a_room_with_its_last_entry(change, say, store_world):
    async def ttls():
        keys = await store_world.redis.call("", ("KEYS", "rm:{a}:moderation*"))
        return [await store_world.redis.call("", ("PTTL", key)) for key in keys]

    await change("mute", "ann", for_s=10)
    await change("mute", "bob", for_s=20)
    assert all(19_000 < ttl <= 20_000 for ttl in await ttls())
    await change("ban", "bob")
    assert await ttls() == [-1, -1]
    await say("mo", HOST, change=Change("ban", "bob", None, HOST))
    assert all(19_000 < ttl <= 20_000 for ttl in await ttls())
    for uid in ("ann", "bob"):
        await say("mo", HOST, change=Change("mute", uid, None, HOST))
    assert await ttls() == []
