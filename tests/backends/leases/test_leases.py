import pytest
import trio

from backends.leases.interface import LOST_KEPT_S, NodeLease, Orders
from backends.leases.memory import MemoryDuties, MemoryRegistry
from backends.leases.obeying import ObeyingRegistry
from backends.leases.redis import RedisDuties, RedisRegistry


@pytest.fixture
def registry(store_world):
    if store_world.redis is None:
        return MemoryRegistry(store_world.now_s)
    return RedisRegistry(store_world.redis)


@pytest.fixture
def duties(store_world):
    return (
        MemoryDuties(store_world.now_s)
        if store_world.redis is None
        else RedisDuties(store_world.redis)
    )


def lease(node="access-1", incarnation="i1", **status):
    return NodeLease(node, "access", "local", incarnation, "ws://h/v1", status)


async def keep_alive(registry, store_world, seconds, *leases):
    for _ in range(round(seconds)):
        for each in leases:
            await registry.renew(each)
        await store_world.advance(1)


async def test_a_node_lives_while_it_renews(registry, store_world):
    await registry.renew(lease(connections=3))
    assert await registry.living() == [lease(connections=3)]
    await keep_alive(registry, store_world, 5, lease("access-2"))
    assert [each.node for each in await registry.living()] == ["access-2"]


async def test_the_nodes_of_a_role_are_found_by_it(registry, store_world):
    relay = NodeLease("relay-1", "relay", "local", "i1", "http://h", {})
    await registry.renew(lease())
    await registry.renew(relay)
    assert await registry.living("relay") == [relay]
    assert await registry.living("logic") == []
    assert len(await registry.living()) == 2
    await keep_alive(registry, store_world, 4, lease())
    assert await registry.living("relay") == []
    assert await registry.living("access") == [lease()]


async def test_the_access_nodes_of_a_pool_are_found_by_it(registry, store_world):
    ordinary, hot = lease(), lease("access-2", pool="hot-1")
    same_name = NodeLease("relay-1", "relay", "local", "i1", "http://h", {"pool": "hot-1"})
    for each in (ordinary, hot, same_name):
        await registry.renew(each)
    assert await registry.living_in("", 9) == [ordinary]
    assert await registry.living_in("hot-1", 9) == [hot]
    assert await registry.living_in("hot-2", 9) == []
    assert await registry.living_in("hot-1", 0) == []
    await keep_alive(registry, store_world, 4, ordinary)
    assert await registry.living_in("hot-1", 9) == []
    assert await registry.living_in("", 9) == [ordinary]
    await registry.resign("access-1", "i0")
    assert await registry.living_in("", 9) == [ordinary]
    await registry.resign("access-1", "i1")
    assert await registry.living_in("", 9) == []


@pytest.mark.parametrize("between_s", [0, 4], ids=["at once", "when its lease has run out"])
async def test_a_node_that_changes_its_pool_leaves_the_old_one(registry, store_world, between_s):
    await registry.renew(lease(pool="hot-1"))
    await store_world.advance(between_s)
    moved = lease(incarnation="i2", pool="hot-2")
    await registry.renew(moved)
    assert await registry.living_in("hot-1", 9) == []
    assert await registry.living_in("hot-2", 9) == [moved]


async def test_of_a_large_pool_some_are_chosen_at_random(registry):
    nodes = {f"access-{n}": lease(f"access-{n}", pool="hot-1") for n in range(40)}
    for each in nodes.values():
        await registry.renew(each)
    seen = set()
    for _ in range(40):
        found = {each.node: each for each in await registry.living_in("hot-1", 8)}
        assert len(found) == 8
        assert found.items() <= nodes.items()
        seen |= found.keys()
    assert len(seen) > 30
    assert len(await registry.living_in("hot-1", 40)) == 40


async def test_the_living_of_a_pool_are_found_among_many_dead(registry, store_world):
    for n in range(60):
        await registry.renew(lease(f"dead-{n}"))
    await store_world.advance(4)
    for n in range(6):
        await registry.renew(lease(f"access-{n}"))
    found = await registry.living_in("", 4)
    assert len({each.node for each in found}) == 4
    assert all(each.node.startswith("access-") for each in found)
    assert len(await registry.living_in("", 9)) == 6


async def test_a_new_incarnation_replaces_the_old_one_and_outlives_its_resignation(registry):
    await registry.renew(lease(incarnation="i1"))
    await registry.renew(lease(incarnation="i2"))
    await registry.resign("access-1", "i1")
    assert [each.incarnation for each in await registry.living()] == ["i2"]
    await registry.resign("access-1", "i2")
    assert await registry.living() == []


async def test_absence_means_nothing_until_a_lease_time_after_the_first_renewal(
    registry, store_world
):
    assert not await registry.settled()
    await keep_alive(registry, store_world, 2, lease())
    assert not await registry.settled()
    await keep_alive(registry, store_world, 2, lease())
    assert await registry.settled()


async def test_absence_means_nothing_after_the_store_was_away(registry, store_world):
    await keep_alive(registry, store_world, 4, lease())
    assert await registry.settled()
    await store_world.advance(2)  # nobody could renew for so long
    assert not await registry.settled()
    await registry.renew(lease())
    assert not await registry.settled()
    await keep_alive(registry, store_world, 3, lease())
    assert await registry.settled()


async def test_an_order_to_drain_is_told_at_each_renewal_of_that_life_alone(registry):
    await registry.renew(lease(incarnation="i1"))
    await registry.renew(lease("access-2"))
    assert await registry.order_drain("access-1") == "i1"
    assert await registry.renew(lease(incarnation="i1")) == Orders(drain=True)
    assert await registry.renew(lease(incarnation="i1")) == Orders(drain=True)
    assert await registry.renew(lease("access-2")) == Orders(drain=False)
    await registry.resign("access-1", "i1")
    assert await registry.renew(lease(incarnation="i2")) == Orders(drain=False)
    assert await registry.renew(lease(incarnation="i2")) == Orders(drain=False)


async def test_a_node_that_died_before_it_obeyed_comes_back_without_the_order(registry):
    await registry.renew(lease(incarnation="i1"))
    await registry.order_drain("access-1")
    assert await registry.renew(lease(incarnation="i2")) == Orders(drain=False)
    assert await registry.order_drain("access-1") == "i2"
    assert await registry.renew(lease(incarnation="i2")) == Orders(drain=True)


async def test_only_who_lives_can_be_ordered_to_drain(registry, store_world):
    assert await registry.order_drain("access-1") is None
    await registry.renew(lease())
    await store_world.advance(4)
    assert await registry.order_drain("access-1") is None
    assert await registry.renew(lease()) == Orders(drain=False)


async def test_who_renews_through_an_obeying_registry_stops_when_it_is_told(registry):
    stopping = trio.Event()
    mine = ObeyingRegistry(registry, stopping)
    await mine.renew(lease())
    assert not stopping.is_set()
    await mine.order_drain("access-1")
    assert await mine.renew(lease()) == Orders(drain=True)
    assert stopping.is_set()
    await mine.resign("access-1", "i1")
    assert (await mine.living(), await mine.settled()) == ([], False)
    await mine.renew(lease("access-2", pool="hot-1"))
    assert await mine.living_in("hot-1", 1) == [lease("access-2", pool="hot-1")]


async def test_a_duty_has_one_holder(duties, store_world):
    first = await duties.hold("totals-1", "a", 3)
    assert first is not None
    assert await duties.hold("totals-1", "b", 3) is None
    assert await duties.hold("totals-2", "b", 3) is not None
    await store_world.advance(2)
    assert await duties.hold("totals-1", "a", 3) == first
    await store_world.advance(2)
    assert await duties.hold("totals-1", "b", 3) is None


async def test_a_duty_that_is_not_renewed_goes_to_the_next_with_a_greater_number(
    duties, store_world
):
    first = await duties.hold("totals-1", "a", 3)
    await store_world.advance(4)
    second = await duties.hold("totals-1", "b", 3)
    assert second > first
    assert await duties.hold("totals-1", "a", 3) is None


async def test_only_the_holder_gives_a_duty_up(duties):
    await duties.hold("totals-1", "a", 3)
    await duties.release("totals-1", "b")
    assert await duties.hold("totals-1", "b", 3) is None
    await duties.release("totals-1", "a")
    assert await duties.hold("totals-1", "b", 3) is not None


async def test_who_stops_renewing_is_lost_and_who_resigns_is_not(registry, store_world):
    for name in ("access-1", "access-2", "access-3"):
        await registry.renew(lease(name, connections=3))
    await registry.resign("access-2", "i1")
    await keep_alive(registry, store_world, 5, lease("access-3"))
    ((lost, silent_s),) = await registry.lost()
    assert (lost, round(silent_s)) == (lease("access-1", connections=3), 5)
    await registry.renew(lease("access-1", "i2"))
    assert await registry.lost() == []


async def test_who_was_lost_long_ago_is_forgotten(registry, store_world):
    await registry.renew(lease())
    await store_world.advance(LOST_KEPT_S - 1)
    assert [each.lease.node for each in await registry.lost()] == ["access-1"]
    await store_world.advance(2)
    assert await registry.lost() == []
