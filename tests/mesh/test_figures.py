"""What each link has carried, as a node's lease says it."""

from collections.abc import AsyncIterator

import pytest
import trio

from backends.links.memory import MemoryNetwork
from mesh.figures import figures
from mesh.node import MeshNode
from proto.envelopes import Kind, encode
from proto.headers import RoomHeader, encode_header
from proto.priorities import Priority

from .cluster import Cluster, free_addresses, until

ENVELOPE = encode(
    Kind.ROOM, Priority.URGENT, b"lobby", encode_header(RoomHeader("e1", 1, 0)), b"hello"
)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, MemoryNetwork(), free_addresses(2))
        cluster.start_relays()
        yield cluster
        nursery.cancel_scope.cancel()


def sent(node: MeshNode, relay: str) -> int:
    return figures(node.up)["uplinks"][relay]["lanes"]["urgent"]["out"]


async def test_each_link_has_figures_of_its_own(cluster: Cluster) -> None:
    router, _ = cluster.node("router-1", "router")
    await cluster.all_up(router)
    for _ in range(3):
        await router.send("relay-2", Priority.URGENT, ENVELOPE)
    await until(lambda: sent(router, "relay-2") == 3)
    shown = figures(router.up)
    assert list(shown["uplinks"]) == ["relay-1", "relay-2"]
    assert shown["at_s"] == round(trio.current_time(), 3)
    assert sent(router, "relay-1") == 0
    lane = shown["uplinks"]["relay-2"]["lanes"]["urgent"]
    assert (lane["depth"], lane["bytes_out"] >= 3 * len(ENVELOPE)) == (0, True)
    assert shown["uplinks"]["relay-2"]["leaving"] is False


async def test_the_sum_goes_on_when_a_link_begins_anew(cluster: Cluster) -> None:
    router, _ = cluster.node("router-1", "router")
    await cluster.all_up(router)
    await router.send("relay-1", Priority.URGENT, ENVELOPE)
    await until(lambda: sent(router, "relay-1") == 1)
    cluster.kill("relay-1")
    await until(lambda: "relay-1" not in router.up)
    assert router.traffic[Priority.URGENT].envelopes_out == 1
    cluster.start_relay(1)
    await cluster.all_up(router)
    assert sent(router, "relay-1") == 0
    assert router.traffic[Priority.URGENT].envelopes_out == 1
