"""Where clients can be sent."""

from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from access.moves.destinations import KEPT_S, MOST, Destinations
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
    await destinations.refresh()
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
    destinations = await found(store, *(lease(f"n{n}", pool="p") for n in range(40)))
    first = Counter(destinations.of("p", f"user-{n}")[0].node for n in range(4000))
    assert len(first) == 40
    assert max(first.values()) < 3 * 4000 / 40
    for uid in ("ann", "bob"):
        asked = destinations.of("p", uid)
        assert len({each.url for each in asked}) == MOST
        assert asked == destinations.of("p", uid)


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
    await destinations.refresh()
    assert destinations.any("")
    await trio.sleep(2)
    await destinations.refresh()
    assert not destinations.any("")
