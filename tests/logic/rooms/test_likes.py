import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from backends.bus.settings import BusSettings
from backends.errors import StoreRefusedError
from logic.rooms.likes_merge import LikesMerge
from proto.errors import ErrorCode, RequestError
from proto.records import Record, RecordHeader
from proto.services import LikeCount, LikesBody, Method, decode_likes, encode
from proto.topics import Topic

COUNTS = st.builds(LikeCount, st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 100))


@given(st.lists(COUNTS), st.randoms())
def test_merging_keeps_the_greatest_in_whatever_order(counts, shuffler):
    shuffled = list(counts)
    shuffler.shuffle(shuffled)
    merges = [LikesMerge(), LikesMerge()]
    for merge, order in zip(merges, (counts, [*shuffled, *counts]), strict=True):
        for like in order:
            merge.add(like)
    found = [
        {(like.room, like.counter): like.count for likes in m.rooms().values() for like in likes}
        for m in merges
    ]
    expected = {}
    for like in counts:
        key = (like.room, like.counter)
        expected[key] = max(like.count, expected.get(key, 0))
    assert found == [expected, expected]


async def report(ask, logic, *counts):
    assert await ask(logic, Method.LIKES, LikesBody([LikeCount(*count) for count in counts])) == b""


async def test_counts_are_answered_when_the_bus_keeps_them(autojump_clock, ask, world, logic):
    await report(ask, logic, ("a", "n1", 5), ("b", "n1", 2))
    (record,) = world.records(Topic.LIKES)
    assert record.header.kind == "likes"
    assert decode_likes(record.body).counts == [LikeCount("a", "n1", 5), LikeCount("b", "n1", 2)]
    world.broker.stop()
    with pytest.raises(RequestError) as caught:
        await report(ask, logic, ("a", "n1", 6))
    assert caught.value.body.code is ErrorCode.UNAVAILABLE


async def test_a_large_report_is_split(autojump_clock, ask, world, logic):
    await report(ask, logic, *((f"r{i:060}", f"{i:064}", 2**52) for i in range(1000)))
    records = world.records(Topic.LIKES)
    assert sum(len(decode_likes(record.body).counts) for record in records) == 1000
    assert max(len(record.body) for record in records) < 64 * 1024


@pytest.mark.parametrize(
    ("count", "field"),
    [
        (("no room", "n", 1), "room"),
        (("a", "", 1), "counter"),
        (("a", "n" * 65, 1), "counter"),
        (("a", "n", -1), "count"),
        (("a", "n", 2**53), "count"),
    ],
)
async def test_counts_that_are_refused(autojump_clock, ask, world, logic, count, field):
    with pytest.raises(RequestError) as caught:
        await report(ask, logic, ("a", "good", 1), count)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.BAD_FRAME, field)
    assert world.records(Topic.LIKES) == []


async def test_one_write_a_room_and_window_whatever_the_number_of_reports(
    autojump_clock, ask, world, running
):
    logic, _ = await running()
    for n in range(1, 11):
        await report(ask, logic, ("a", "n1", n), ("a", "n2", 2 * n), ("b", "n1", n))
    await trio.sleep(0.5)
    assert (await world.likes.total("a"), await world.likes.total("b")) == (30, 10)
    assert world.likes.inner.writes == 2
    assert (logic.counters.likes_merged, logic.counters.likes_written) == (30, 2)


async def test_with_its_hands_full_it_does_not_wait_for_the_window(
    autojump_clock, ask, world, running
):
    logic, _ = await running(likes_window_s=1.0, bus=BusSettings(in_flight=5))
    for n in range(1, 101):
        await report(ask, logic, ("a", "n1", n))
    await trio.sleep(0.5)
    assert await world.likes.total("a") == 100


async def test_several_instances_count_each_like_once(autojump_clock, ask, world, running):
    one, _ = await running()
    two, _ = await running()
    for n in range(1, 101):
        await report(ask, one if n % 2 else two, ("a", "n1", n))
        await trio.sleep(0.02)
    await trio.sleep(1)
    assert await world.likes.total("a") == 100


async def test_counts_wait_for_a_store_that_is_away(autojump_clock, ask, world, running):
    logic, _ = await running()
    world.likes.away = True
    await report(ask, logic, ("a", "n1", 5))
    await trio.sleep(300)
    await report(ask, logic, ("a", "n2", 5))
    world.likes.away = False
    await trio.sleep(5)
    assert await world.likes.total("a") == 10
    assert world.dead(Topic.LIKES) == 0


async def test_poison_is_buried_and_stops_nothing(autojump_clock, ask, world, running):
    logic, _ = await running()
    bad = [b"\xc1", encode(LikesBody([LikeCount("no room", "n", 1)])), b""]
    for i, body in enumerate(bad):
        await world.bus.publish(Topic.LIKES, [Record(RecordHeader(f"bad{i}", "likes", 0), body)])
    await report(ask, logic, ("a", "n1", 5))
    await trio.sleep(1)
    assert await world.likes.total("a") == 5
    assert world.dead(Topic.LIKES) == logic.counters.likes_poisoned == 3


async def test_a_room_that_the_store_refuses_stops_no_other(autojump_clock, ask, world, running):
    logic, _ = await running()
    count = world.likes.inner.count

    async def count_all_but_b(room, counts):
        if room == "b":
            raise StoreRefusedError("WRONGTYPE")
        return await count(room, counts)

    world.likes.inner.count = count_all_but_b
    await report(ask, logic, ("b", "n1", 5))
    await report(ask, logic, ("a", "n1", 5))
    await trio.sleep(1)
    assert await world.likes.total("a") == 5
    assert world.dead(Topic.LIKES) == 1
