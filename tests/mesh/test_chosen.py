"""Interest of the hot way is told to one relay at a time, which the nodes choose alike."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.settings import BusSettings
from backends.links.memory import MemoryNetwork
from mesh.chosen import HAND_OVER_S
from mesh.node import MeshNode
from proto.errors import ErrorCode, RequestError
from proto.heat import hot_key
from proto.rendezvous import ranked

from .cluster import Cluster, until

KEY = hot_key("pool-1", "lobby")
OTHER = hot_key("pool-1", "attic")
ADDRESSES = ["tcp://a:10", "tcp://b:10", "tcp://c:10"]
RELAYS = ["relay-1", "relay-2", "relay-3"]


class HotCluster(Cluster):
    """Relays of which some carry the hot way."""

    bus: MemoryBus

    def start(self, *hot: int, cold: tuple[int, ...] = ()) -> None:
        for number in hot:
            self.start_relay(number, self.bus)
        for number in cold:
            self.start_relay(number)

    def told(self, key: str = KEY) -> list[str]:
        """The running relays in whose tables `key` is."""
        return [
            name
            for name, relay in sorted(self.relays.items())
            if name in self._scopes and relay.forwarding.table.receivers(key.encode())
        ]

    async def until_told(self, *relays: str) -> None:
        await until(lambda: self.told() == sorted(relays))


@pytest.fixture
async def cluster() -> AsyncIterator[HotCluster]:
    async with trio.open_nursery() as nursery:
        cluster = HotCluster(nursery, MemoryNetwork(), ADDRESSES)
        cluster.bus = MemoryBus(BusSettings(kind="memory"), MemoryBroker(), nursery)
        yield cluster
        nursery.cancel_scope.cancel()


async def wanting(cluster: HotCluster, name: str = "access-1") -> MeshNode:
    node, _ = cluster.node(name, "access")
    await cluster.all_up(node)
    node.want_once(KEY)
    await node.confirmed(KEY)
    return node


def order(node: str = "access-1", pool: str = "pool-1") -> list[str]:
    return ranked(f"{node}\0{pool}", RELAYS)


async def test_one_relay_is_told_and_all_keys_of_a_pool_go_to_it(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    cluster.start(1, 2, 3)
    node = await wanting(cluster)
    node.want_once(OTHER)
    await node.confirmed(OTHER)
    assert cluster.told(KEY) == cluster.told(OTHER) == [order()[0]]


async def test_nodes_spread_over_the_relays(cluster: HotCluster, autojump_clock: MockClock) -> None:
    cluster.start(1, 2, 3)
    names = [f"access-{number}" for number in range(12)]
    for name in names:
        await wanting(cluster, name)
    assert set(cluster.told()) == {order(name)[0] for name in names} == set(RELAYS)


async def test_when_the_relay_goes_the_next_is_told_and_later_it_is_told_again(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    cluster.start(1, 2, 3)
    node = await wanting(cluster)
    first, second, _ = order()
    cluster.kill(first)
    await cluster.until_told(second)
    await node.confirmed(KEY)
    cluster.start(int(first[-1]))
    # Both for a while: the one that came back may have to begin with the bus.
    await cluster.until_told(first, second)
    await trio.sleep(HAND_OVER_S - 0.2)
    assert cluster.told() == sorted([first, second])
    await cluster.until_told(first)


async def test_a_relay_that_takes_its_leave_goes_on_until_the_next_has_taken_over(
    cluster: HotCluster, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    cluster.start(1, 2, 3)
    await wanting(cluster)
    first, second, _ = order()
    left = trio.Event()

    async def leave() -> None:
        await cluster.relays[first].leave()
        left.set()

    nursery.start_soon(leave)
    await cluster.until_told(first, second)
    await trio.sleep(HAND_OVER_S - 0.2)
    assert cluster.told() == sorted([first, second])
    assert not left.is_set()
    await cluster.until_told(second)
    await left.wait()


async def test_a_relay_that_is_the_only_one_with_the_hot_way_is_not_kept_from_leaving(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    cluster.start(1, cold=(2,))
    await wanting(cluster)
    with trio.fail_after(1):
        await cluster.relays["relay-1"].leave()


async def test_a_relay_without_a_bus_is_passed_over(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    first, second, third = (int(name[-1]) for name in order())
    cluster.start(second, third, cold=(first,))
    await wanting(cluster)
    assert cluster.told() == [f"relay-{second}"]


async def test_where_no_relay_has_a_bus_the_key_is_unplaced_until_one_comes(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    cluster.start(cold=(1,))
    node, _ = cluster.node("access-1", "access")
    await cluster.all_up(node)
    node.want_once(KEY)
    with pytest.raises(RequestError) as caught:
        await node.confirmed(KEY)
    assert caught.value.body.code == ErrorCode.UNAVAILABLE
    assert node.unplaced == 1
    cluster.start(2)
    await cluster.until_told("relay-2")
    assert node.unplaced == 0


async def test_it_is_withdrawn_from_whoever_has_it(
    cluster: HotCluster, autojump_clock: MockClock
) -> None:
    cluster.start(1, 2, 3)
    node = await wanting(cluster)
    first, second, _ = order()
    cluster.kill(first)
    await cluster.until_told(second)
    cluster.start(int(first[-1]))
    await cluster.until_told(first, second)
    node.unwant_once(KEY)
    await cluster.until_told()
    cluster.kill(second)
    await trio.sleep(2 * HAND_OVER_S)
    assert cluster.told() == []
