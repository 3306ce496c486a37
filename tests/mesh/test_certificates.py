"""What a node makes of a relay's certificate, of addresses in the clear, and of silence."""

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from backends.leases.interface import NodeLease
from backends.links.memory import MemoryNetwork, Peers
from mesh.discovery import addresses
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from mesh.unreachable import AGAIN_S, FIRST_S
from proto.identity import NodeIdentity
from relay.relay import Relay
from relay.settings import Settings

ADDRESS = "tcp://relay:10"


def node_on(network: MemoryNetwork, peers: Peers) -> MeshNode:
    me = NodeIdentity(node="access-1", region="local", incarnation="a")
    links = network.of("access-1", peers=peers)
    return MeshNode(me, "access", MeshSettings(relays=[ADDRESS]), links, lambda *_: None)


@pytest.mark.parametrize(
    ("shown", "up"),
    [("relay/relay-1", True), ("relay/*", True), (None, True), ("relay/relay-2", False)],
)
async def test_a_relay_is_who_its_certificate_says(
    autojump_clock: MockClock, shown: str | None, up: bool
) -> None:
    network = MemoryNetwork()
    node = node_on(network, Peers(listener=shown))
    identity = NodeIdentity(node="relay-1", region="local", incarnation="r1")
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Relay(Settings(listen=ADDRESS), identity, network).run)
            nursery.start_soon(node.run)
            await trio.sleep(1)
            assert set(node.up) == ({"relay-1"} if up else set())
            nursery.cancel_scope.cancel()
    reasons = {line["reason"] for line in logs if line["event"] == "relay_lost"}
    assert reasons == (set() if up else {"relay-1 shows the certificate of relay/relay-2"})


async def test_why_a_relay_can_not_be_reached_is_said_now_and_then(
    autojump_clock: MockClock,
) -> None:
    node = node_on(MemoryNetwork(), Peers())
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run)
            await trio.sleep(FIRST_S + AGAIN_S + 1)
            nursery.cancel_scope.cancel()
    said = [(line["url"], line["reason"]) for line in logs if line["event"] == "relay_unreachable"]
    assert said == [(ADDRESS, "nobody listens")] * 2


@pytest.mark.parametrize("tls", [True, False])
async def test_a_lease_leads_no_encrypted_node_to_a_relay_in_the_clear(tls: bool) -> None:
    lanes = {"relay-1": "tcp://a:1", "relay-2": "tls+tcp://b:1"}
    leases = [
        NodeLease(name, "relay", "local", "i", "", {"lanes": url}) for name, url in lanes.items()
    ]
    with capture_logs() as logs:
        found = addresses(leases, "local", tls=tls)
    assert found == {
        "tls+tcp://b:1,tls+tcp://b:2,tls+tcp://b:3" if tls else "tcp://a:1,tcp://a:2,tcp://a:3"
    }
    (refused,) = [line["relay"] for line in logs if line["event"] == "relay_not_dialled"]
    assert refused == ("relay-1" if tls else "relay-2")
