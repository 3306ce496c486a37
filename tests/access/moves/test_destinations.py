"""Where clients can be sent."""

from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from access.moves.destinations import (
    FORGOTTEN_S,
    KEPT_S,
    MOST,
    REFRESH_S,
    SAMPLED,
    Destinations,
)
from backends.leases.interface import NodeLease
from tests.access.cluster import Store


def lease(node: str, *, role: str = "access", region: str = "local", **status: Any) -> NodeLease:
    url = status.pop("url", f"ws://{node}/v1")
    return NodeLease(node, role, region, "i", url, status)


@pytest.fixture
def store() -> Store:
    return Store()


async def found(store: Store, *leases: NodeLease) -> Destinations:
    for each in leases:
        await store.renew(each)
    destinations = Destinations("me", "local", store)
    for pool in sorted({each.pool for each in leases}):
        await destinations.refresh(pool)
    return destinations


async def test_only_nodes_that_take_clients_are_named(store: Store) -> None:
    destinations = await found(
        store,
        lease("good", pool="p"),
        lease("me", pool="p"),
        lease("drains", pool="p", draining=True),
        lease("unready", pool="p", ready=False),
        lease("full", pool="p", connections=5, max_connections=5),
        lease("deaf", pool="p", url=""),
        lease("router-1", role="router", pool="p"),
        lease("far", region="other", pool="p"),
        lease("ordinary"),
    )
    assert [each.node for each in destinations.of("p", "ann")] == ["good"]
    assert [each.node for each in destinations.of("", "ann")] == ["ordinary"]
    assert destinations.of("none", "ann") == []
    assert destinations.any("p")
    assert not destinations.any("none")


async def test_a_crowd_spreads_and_each_has_a_few_to_choose_from(store: Store) -> None:
    destinations = await found(store, *(lease(f"n{n}", pool="p") for n in range(30)))
    first = Counter(destinations.of("p", f"user-{n}")[0].node for n in range(4000))
    assert len(first) == 30
    assert max(first.values()) < 3 * 4000 / 30
    for uid in ("ann", "bob"):
        asked = destinations.of("p", uid)
        assert len({each.url for each in asked}) == MOST
        assert asked == destinations.of("p", uid)


def told(destinations: Destinations) -> set[str]:
    return {each.node for n in range(500) for each in destinations.of("p", f"user-{n}")}


async def test_of_a_large_pool_a_sample_is_read_and_another_one_later(
    store: Store, autojump_clock: MockClock
) -> None:
    nodes = {f"n{n}" for n in range(10 * SAMPLED)}
    destinations = await found(store, *(lease(node, pool="p") for node in sorted(nodes)))
    first = told(destinations)
    assert len(first) == SAMPLED
    await destinations.refresh("p")
    assert told(destinations) == first
    await trio.sleep(REFRESH_S)
    await destinations.refresh("p")
    assert len(told(destinations)) == SAMPLED
    assert len(told(destinations) & first) < SAMPLED / 2
    assert first | told(destinations) <= nodes


async def test_samples_of_many_nodes_fill_a_large_pool(store: Store) -> None:
    for n in range(100):
        await store.renew(lease(f"n{n}", pool="p"))
    taken: Counter[str] = Counter()
    for source in range(100):
        destinations = Destinations(f"source-{source}", "local", store)
        await destinations.refresh("p")
        taken.update(destinations.of("p", f"{source}-{n}")[0].node for n in range(100))
    assert len(taken) == 100
    assert max(taken.values()) < 2 * 100


async def test_pools_that_are_long_done_with_are_forgotten(
    store: Store, autojump_clock: MockClock
) -> None:
    destinations = await found(store, lease("hot-1", pool="p"))
    await trio.sleep(FORGOTTEN_S + 1)
    await destinations.refresh("other")
    assert not destinations.any("p")


async def test_nodes_behind_one_url_are_one_endpoint(store: Store) -> None:
    destinations = await found(
        store, lease("w1", url="ws://one/v1"), lease("w2", url="ws://one/v1")
    )
    assert [(each.url, each.node) for each in destinations.of("", "ann")] == [("ws://one/v1", "w1")]


async def test_with_the_store_away_the_last_list_serves_for_a_moment(
    store: Store, autojump_clock: MockClock
) -> None:
    destinations = await found(store, lease("good"))
    store.away = True
    await trio.sleep(KEPT_S - 1)
    await destinations.refresh("")
    assert destinations.any("")
    await trio.sleep(2)
    await destinations.refresh("")
    assert not destinations.any("")
