import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.likes.interface import SHARDS, Entered, shard_of
from backends.likes.memory import MemoryCensus, MemoryChangedRooms, MemoryLikes
from backends.likes.redis import RedisCensus, RedisChangedRooms, RedisLikes
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from proto.services import LikeCount, RoomCensus

LIVING = frozenset({("access-1", "i1"), ("access-2", "j1")})


@pytest.fixture
def likes(store_world):
    return MemoryLikes() if store_world.redis is None else RedisLikes(store_world.redis)


@pytest.fixture
def census(store_world):
    if store_world.redis is None:
        return MemoryCensus(store_world.now_ms)
    return RedisCensus(store_world.redis, now_ms=store_world.now_ms)


@pytest.fixture
def changed(store_world):
    redis = store_world.redis
    return MemoryChangedRooms() if redis is None else RedisChangedRooms(redis)


async def test_likes_add_up_over_counters(likes):
    assert await likes.total("a") == 0
    assert await likes.count("a", [LikeCount("a", "n1", 10), LikeCount("a", "n2", 5)]) == 15
    assert await likes.count("a", [LikeCount("a", "n1", 12)]) == 17
    assert (await likes.total("a"), await likes.total("b")) == (17, 0)


async def test_late_and_doubled_counts_change_nothing(likes):
    await likes.count("a", [LikeCount("a", "n1", 10)])
    assert await likes.count("a", [LikeCount("a", "n1", 10)]) == 10
    assert await likes.count("a", [LikeCount("a", "n1", 3), LikeCount("a", "n1", 10)]) == 10


async def test_large_totals_are_exact(likes):
    await likes.count("a", [LikeCount("a", "n1", 2**52)])
    assert await likes.count("a", [LikeCount("a", "n2", 1)]) == 2**52 + 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reports=st.lists(
        st.lists(
            st.builds(LikeCount, st.just("a"), st.sampled_from(["n1", "n2"]), st.integers(0, 50)),
            min_size=1,
            max_size=4,
        ),
        max_size=10,
    )
)
async def test_any_order_of_reports_ends_at_the_sum_of_the_greatest(shared_redis, reports):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        await redis.call("", ("FLUSHALL",))
        for likes in (MemoryLikes(), RedisLikes(redis)):
            greatest = {}
            for counts in reports:
                for like in counts:
                    greatest[like.counter] = max(like.count, greatest.get(like.counter, 0))
                assert await likes.count("a", counts) == sum(greatest.values())


async def test_online_counts_the_lives_that_live(census):
    await census.report("access-1", "i1", [RoomCensus("a", 3), RoomCensus("b", 1)])
    await census.report("access-2", "j1", [RoomCensus("a", 4)])
    await census.report("access-2", "j0", [RoomCensus("a", 100)])
    assert await census.online("a", LIVING) == 7
    assert await census.online("b", LIVING) == 1
    assert await census.online("c", LIVING) == 0
    assert await census.online("a", frozenset()) == 0


async def test_a_report_replaces_the_one_before(census):
    await census.report("access-1", "i1", [RoomCensus("a", 3)])
    await census.report("access-1", "i1", [RoomCensus("a", 2)])
    assert await census.online("a", LIVING) == 2
    await census.report("access-1", "i1", [RoomCensus("a", 0)])
    assert await census.online("a", LIVING) == 0


async def test_reports_that_are_not_renewed_count_no_more(census, store_world):
    await census.report("access-1", "i1", [RoomCensus("a", 3)])
    await store_world.advance(40)
    await census.report("access-2", "j1", [RoomCensus("a", 4)])
    await store_world.advance(30)
    assert await census.online("a", LIVING) == 4


async def test_who_entered_is_taken_once(census):
    await census.report("access-1", "i1", [RoomCensus("a", 2, 2, ["ann", "bob"])])
    await census.report("access-2", "j1", [RoomCensus("a", 1, 1, ["eve"])])
    assert await census.take_entered("a") == Entered(3, ("eve", "bob", "ann"))
    assert await census.take_entered("a") == Entered(0, ())


async def test_few_names_of_many_who_entered(census):
    names = [f"u{i}" for i in range(30)]
    await census.report("access-1", "i1", [RoomCensus("a", 1000, 1000, names)])
    entered = await census.take_entered("a")
    assert entered == Entered(1000, tuple(reversed(names[-10:])))


async def test_changed_rooms_are_listed_in_their_shard_until_done(changed):
    await changed.mark(["a", "b"])
    listed = await changed.changed(shard_of("a"))
    assert "a" in listed
    everywhere = [room for shard in range(SHARDS) for room in await changed.changed(shard)]
    assert sorted(everywhere) == ["a", "b"]
    await changed.done(shard_of("a"), {"a": listed["a"]})
    assert "a" not in await changed.changed(shard_of("a"))


async def test_a_room_that_changed_again_stays_listed(changed):
    shard = shard_of("a")
    await changed.mark(["a"])
    seen = await changed.changed(shard)
    await changed.mark(["a"])
    await changed.done(shard, seen)
    assert set(await changed.changed(shard)) == {"a"}


async def test_an_old_done_does_not_cover_a_new_change(changed):
    shard = shard_of("a")
    await changed.mark(["a"])
    seen = await changed.changed(shard)
    await changed.done(shard, seen)
    await changed.mark(["a"])
    await changed.done(shard, seen)
    assert set(await changed.changed(shard)) == {"a"}
