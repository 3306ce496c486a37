"""What a node does when time passes, over links in memory and with a clock that jumps."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from backends.links.memory import MemoryNetwork
from mesh.addresses import lane_urls
from mesh.interface import RelayDownError
from mesh.metrics import MeshCollector
from proto.envelopes import BATCH_START, Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method

from .cluster import Cluster, until

ADDRESS = "tcp://relay:10"


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
async def cluster(network: MemoryNetwork) -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        yield Cluster(nursery, network, [ADDRESS])
        nursery.cancel_scope.cancel()


async def test_a_silent_relay_is_left_within_its_time_and_found_again(
    cluster: Cluster, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("access-1", "access")
    await cluster.all_up(node)
    node.want("lobby")
    await node.confirmed("lobby")
    frozen_at = trio.current_time()
    for url in lane_urls(ADDRESS):
        network.freeze(url)
    await until(lambda: not node.up, 10)
    assert trio.current_time() - frozen_at <= 4.1
    await node.confirmed("lobby")
    assert node.connects == 2


async def test_idle_links_stay_up_and_measure_their_round_trip(
    cluster: Cluster, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("access-1", "access")
    await cluster.all_up(node)
    await trio.sleep(60)
    assert node.connects == 1
    samples = {
        sample.name: sample.value
        for family in MeshCollector(node).collect()
        for sample in family.samples
        if sample.labels.get("priority", "bulk") == "bulk" and sample.labels.get("way") != "out"
    }
    assert samples["relaymesh_mesh_relays_up"] == 1
    assert samples["relaymesh_mesh_connects_total"] == 1
    assert samples["relaymesh_mesh_batches_total"] >= 60


async def test_a_cut_lane_takes_the_others_with_it_and_all_come_back(
    cluster: Cluster, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("access-1", "access")
    await cluster.all_up(node)
    network.cut(lane_urls(ADDRESS)[2])
    await until(lambda: not node.up)
    await until(lambda: len(node.up) == 1, 1.0)


async def test_an_answer_that_never_comes_is_a_timeout(
    cluster: Cluster, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("access-1", "access")
    mute, _ = cluster.node("logic-1", "logic")
    await cluster.all_up(node, mute)
    with pytest.raises(RequestError) as caught:
        await node.request(Method.PUBLISH, Priority.URGENT)
    assert caught.value.body.code == ErrorCode.TIMEOUT
    assert not len(node.requests)


async def test_a_full_lane_makes_senders_wait_and_offers_fail_and_a_loss_ends_both(
    cluster: Cluster, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("router-1", "router", lane_bytes=4 << 20)
    await cluster.all_up(node)
    for url in lane_urls(ADDRESS):
        network.freeze(url)
    envelope = encode(Kind.USERS, Priority.NORMAL, b"access-1", b"", b"x" * 100_000)
    outcomes = []

    async def flood() -> None:
        try:
            while True:
                await node.send("relay-1", Priority.NORMAL, envelope)
        except RelayDownError:
            outcomes.append("down")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        await trio.sleep(0.1)
        assert not node.offer("relay-1", Priority.NORMAL, envelope)
        assert node.offer("relay-1", Priority.URGENT, envelope)
    assert outcomes == ["down"]
    assert node.drops["lane_full", Priority.NORMAL] == 1
    assert node.drops["relay_down", Priority.NORMAL] > 30


async def test_bulk_gives_way_to_newer_bulk_and_never_waits(
    cluster: Cluster, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    cluster.start_relay(1)
    node, _ = cluster.node("router-1", "router", lane_bytes=4 << 20)
    await cluster.all_up(node)
    network.freeze(lane_urls(ADDRESS)[2])
    envelope = encode(Kind.USERS, Priority.BULK, b"access-1", b"", b"x" * 100_000)
    for _ in range(100):
        await node.send("relay-1", Priority.BULK, envelope)
    outbox = node.up["relay-1"].lanes[Priority.BULK].outbox
    assert outbox.depth_bytes <= 4 << 20
    assert node.drops["lane_full", Priority.BULK] == 100 - outbox.depth > 50


async def test_a_receiver_that_fails_on_one_envelope_gets_the_next(
    cluster: Cluster, autojump_clock: MockClock
) -> None:
    relay = cluster.start_relay(1)
    node, inbox = cluster.node("access-1", "access")
    router, _ = cluster.node("router-1", "router")
    await cluster.all_up(node, router)

    def fail(_: str, envelope: object) -> None:
        if len(inbox.received) == 1:
            raise ValueError("indigestible")

    inbox.answer = fail
    for body in (b"one", b"two"):
        users = encode(Kind.USERS, Priority.NORMAL, b"access-1", b"", body)
        await router.send("relay-1", Priority.NORMAL, users)
    assert await inbox.until(2) == [b"one", b"two"]
    assert node.drops["receive_failed", Priority.NORMAL] == 1
    assert node.connects == 1
    assert len(relay.forwarding.peers) == 2


async def test_a_relay_that_speaks_nonsense_is_left(
    cluster: Cluster, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    ends = [network.listen(url) for url in lane_urls(ADDRESS)]
    node, _ = cluster.node("access-1", "access")
    cut = 0

    async def answer_nonsense() -> None:
        nonlocal cut
        while True:
            for end in ends:
                for link, what in end.poll(10):
                    if isinstance(what, bytes) and link.sendable:
                        link.send(BATCH_START + b"\xff" * 20)
                    cut += getattr(what, "value", "") == "gone"
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_nonsense)
        await until(lambda: cut >= 6)
        assert not node.up
        nursery.cancel_scope.cancel()
