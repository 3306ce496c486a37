"""A node that ends: what it has sent last arrives, over encrypted links too."""

import pytest
import trio
from trio.testing import MockClock

from backends.links.memory import MemoryNetwork
from backends.links.node_links import NodeLinks
from backends.tls.settings import NO_TLS, TlsSettings
from mesh.lane import ARRIVE_S
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from ops.certs.folder import Folder
from proto.envelopes import Kind, encode
from proto.headers import NodeRole, RoomHeader, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from relay.relay import Relay
from relay.settings import Settings

from .cluster import Cluster, Inbox, free_addresses, until

LAST = 200


class EncryptedMesh:
    """One relay, and nodes with a certificate each, if there is `certs`."""

    def __init__(self, nursery: trio.Nursery, certs: Folder | None) -> None:
        self._nursery = nursery
        self._certs = certs
        (address,) = free_addresses(1)
        self._address = address.replace("tcp:", "tls+tcp:") if certs else address

    def relay(self) -> None:
        tls = self._tls("relay", "relay-1")
        settings = Settings(listen=self._address, tls=tls)
        relay = Relay(settings, _identity("relay-1"), NodeLinks(tls, "relay", "relay-1"))
        self._nursery.start_soon(relay.run)

    def node(self, role: NodeRole) -> tuple[MeshNode, Inbox, trio.CancelScope]:
        name, inbox, scope = f"{role}-1", Inbox(), trio.CancelScope()
        tls = self._tls(role, name)
        settings = MeshSettings(relays=[self._address], tls=tls)
        mesh = MeshNode(_identity(name), role, settings, NodeLinks(tls, role, name), inbox)

        async def run() -> None:
            with scope:
                await mesh.run()

        self._nursery.start_soon(run)
        return mesh, inbox, scope

    def _tls(self, role: str, name: str) -> TlsSettings:
        return TlsSettings(**self._certs.issue(role, name)._asdict()) if self._certs else NO_TLS


def _identity(name: str) -> NodeIdentity:
    return NodeIdentity(node=name, region="local", incarnation="life1")


@pytest.mark.parametrize("encrypted", [False, True])
async def test_what_was_sent_last_arrives_before_the_links_are_closed(
    encrypted: bool, certs: Folder
) -> None:
    header = encode_header(RoomHeader("e1", 1, 0))
    bodies = [b"%d" % number + bytes(1000) for number in range(LAST)]
    async with trio.open_nursery() as nursery:
        mesh = EncryptedMesh(nursery, certs if encrypted else None)
        mesh.relay()
        wants, got, _ = mesh.node("access")
        router, _, routing = mesh.node("router")
        await until(lambda: bool(wants.up and router.up))
        wants.want("lobby")
        await wants.confirmed("lobby")
        for body in bodies:
            envelope = encode(Kind.ROOM, Priority.NORMAL, b"lobby", header, body)
            await router.send("relay-1", Priority.NORMAL, envelope)
        while router.up["relay-1"].lanes[Priority.NORMAL].outbox.depth:
            await trio.lowlevel.checkpoint()  # now nng has it, and may not have sent it yet
        await router.drained()
        routing.cancel()
        assert await got.until(LAST) == bodies
        nursery.cancel_scope.cancel()


async def test_a_relay_that_hears_nothing_is_not_waited_for(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, network, ["tcp://relay:10"])
        cluster.start_relay(1)
        router, _ = cluster.node("router-1", "router")
        await cluster.all_up(router)
        for lane in Priority:
            network.freeze(f"tcp://relay:{10 + lane}")
        began = trio.current_time()
        await router.drained()
        assert trio.current_time() - began <= ARRIVE_S + 0.1
        nursery.cancel_scope.cancel()
