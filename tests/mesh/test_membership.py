"""Relays that come and go while nodes run, by address and by lease."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease
from backends.leases.memory import MemoryRegistry
from backends.links.memory import MemoryNetwork
from mesh.addresses import BadAddressError
from mesh.connection import SETTLE_S
from mesh.discovery import discover
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from mesh.uplinks import LINGER_S
from proto.priorities import Priority
from proto.rendezvous import carrier

from .cluster import Cluster, until
from .test_mesh import room_envelope

ADDRESSES = [f"tcp://relay-{number}:10" for number in (1, 2, 3)]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, MemoryNetwork(), ADDRESSES)
        cluster.start_relays()
        yield cluster
        nursery.cancel_scope.cancel()


async def test_a_relay_is_added_and_removed_while_a_node_runs(
    autojump_clock: Any, cluster: Cluster
) -> None:
    node, _ = cluster.node("router-1", "router")
    await until(lambda: len(node.up) == 3)
    node.set_relays(ADDRESSES[:2])
    await until(lambda: sorted(node.up) == ["relay-1", "relay-2"], 3 * LINGER_S)
    lives = dict(node.up)
    node.set_relays(ADDRESSES)
    await until(lambda: len(node.up) == 3)
    assert sorted(node.carriers("x")) == ["relay-1", "relay-2"]
    await trio.sleep(SETTLE_S)
    assert sorted(node.carriers("x")) == ["relay-1", "relay-2", "relay-3"]
    node.set_relays(ADDRESSES[1:])
    await trio.sleep(0.1)
    assert sorted(node.carriers("x")) == ["relay-2", "relay-3"]
    assert sorted(node.up) == ["relay-1", "relay-2", "relay-3"]  # still listened to
    await until(lambda: "router-1" not in cluster.relays["relay-1"].forwarding.peers, 3 * LINGER_S)
    assert sorted(node.up) == ["relay-2", "relay-3"]
    assert node.up["relay-2"] is lives["relay-2"]  # never touched


async def test_a_relay_that_is_put_back_at_once_is_dialled_once(
    autojump_clock: Any, cluster: Cluster
) -> None:
    node, _ = cluster.node("router-1", "router")
    await until(lambda: len(node.up) == 3)
    node.set_relays(ADDRESSES[:2])
    await trio.sleep(1)
    node.set_relays(ADDRESSES)
    await trio.sleep(3 * LINGER_S)
    assert sorted(node.carriers("x")) == ["relay-1", "relay-2", "relay-3"]
    assert node.connects == 4


async def test_what_comes_by_a_relay_that_one_node_has_given_up_still_arrives(
    autojump_clock: Any,
    cluster: Cluster,
) -> None:
    router, _ = cluster.node("router-1", "router")
    access, inbox = cluster.node("access-1", "access")
    await cluster.all_up(router, access)
    access.want("lobby")
    await access.confirmed("lobby")
    first = router.carriers("lobby")[0]
    access.set_relays([a for a in ADDRESSES if f"{first}:" not in a])
    await trio.sleep(1)
    await router.send(first, Priority.NORMAL, room_envelope("lobby", b"kept"))
    assert await inbox.until(1) == [b"kept"]


async def test_what_is_no_address_changes_nothing(autojump_clock: Any, cluster: Cluster) -> None:
    node, _ = cluster.node("access-1", "access")
    await until(lambda: len(node.up) == 3)
    with pytest.raises(BadAddressError, match="'nonsense' is neither one URL"):
        node.set_relays(["tcp://relay-1:10", "nonsense"])
    await trio.sleep(3 * LINGER_S)
    assert len(node.up) == 3


def test_a_relay_more_moves_only_its_share_and_a_relay_less_only_what_it_carried() -> None:
    rooms = [f"room-{number}" for number in range(4000)]
    before = {room: carrier(room, ["relay-1", "relay-2", "relay-3"]) for room in rooms}
    after = {room: carrier(room, ["relay-1", "relay-2", "relay-3", "relay-4"]) for room in rooms}
    moved = [room for room in rooms if before[room] != after[room]]
    assert {after[room] for room in moved} == {"relay-4"}
    assert len(moved) == pytest.approx(len(rooms) / 4, rel=0.1)
    less = {room: carrier(room, ["relay-1", "relay-3"]) for room in rooms}
    assert {before[room] for room in rooms if before[room] != less[room]} == {"relay-2"}


class Leases(MemoryRegistry):
    """Leases of relays, in a store that may be away."""

    away = False

    async def living(self, role: str = "") -> list[NodeLease]:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().living(role)

    async def lives(self, number: int, region: str = "local", lanes: str = "") -> None:
        address = lanes or ADDRESSES[number - 1]
        await self.renew(
            NodeLease(f"relay-{number}", "relay", region, "i1", "", {"lanes": address})
        )


@pytest.fixture
def leases() -> Leases:
    return Leases(trio.current_time)


@pytest.fixture
async def finder(cluster: Cluster, leases: Leases, nursery: trio.Nursery) -> MeshNode:
    node, _ = cluster.node("access-1", "access", discover=True)
    nursery.start_soon(discover, leases, "local", node)
    return node


async def test_relays_of_the_region_are_found_by_their_leases(
    autojump_clock: Any, finder: MeshNode, leases: Leases
) -> None:
    await leases.lives(1)
    await leases.lives(2, region="far")
    await leases.lives(3, lanes="nonsense")
    await until(lambda: list(finder.up) == ["relay-1"])
    finder.reconfigured(MeshSettings(relays=ADDRESSES, discover=True))
    await leases.lives(3)
    await until(lambda: sorted(finder.up) == ["relay-1", "relay-3"])


async def test_a_relay_that_is_connected_stays_whatever_the_store_has_lost(
    autojump_clock: Any, finder: MeshNode, leases: Leases, cluster: Cluster
) -> None:
    await leases.lives(1)
    await until(lambda: list(finder.up) == ["relay-1"])
    life = finder.up["relay-1"]
    leases.away = True
    await trio.sleep(10)
    leases.away = False
    await trio.sleep(10)
    assert finder.up["relay-1"] is life
    cluster.kill("relay-1")
    await until(lambda: not finder.up)
    await trio.sleep(5)
    cluster.start_relay(1)
    await trio.sleep(5)
    assert not finder.up  # no lease, no dialling
    await leases.lives(1)
    await until(lambda: list(finder.up) == ["relay-1"])
