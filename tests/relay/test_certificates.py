"""What a relay makes of the certificate that a link shows: who sits down under which name."""

from collections.abc import AsyncIterator

import pytest
import trio

from backends.links.memory import MemoryNetwork, Peers
from proto.headers import NodeRole
from relay.relay import Relay
from relay.settings import Settings
from tests.relay.test_relay import ADDRESS, ME, Node


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
async def relay(network: MemoryNetwork) -> AsyncIterator[Relay]:
    relay = Relay(Settings(listen=ADDRESS), ME, network)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run)
        yield relay
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("role", "name", "shown"),
    [
        ("access", "access-1", "access/access-1"),
        ("access", "access-1-w2", "access/access-1"),
        ("access", "access-1", "access/*"),
        ("probe", "probe-1", "probe/*"),
        ("access", "access-1", None),
    ],
)
async def test_who_is_the_certificates_sits_down(
    relay: Relay, network: MemoryNetwork, role: NodeRole, name: str, shown: str | None
) -> None:
    node = Node(name, role, "a")
    await node.connect(network.of(name, peers=Peers(shown)))
    await node.until(lambda: len(node.got) == 3)
    assert not relay.seating.violations


@pytest.mark.parametrize(
    ("role", "name", "shown"),
    [
        ("router", "access-1", "access/access-1"),
        ("probe", "access-1", "access/*"),
        ("relay", "relay-9", "access/access-1"),
        ("access", "access-2", "access/access-1"),
        ("access", "access-11", "access/access-1"),
        ("access", "access-1", "access/access-1-w2"),
        ("access", "access-1", "access"),
        ("access", "access-1", "relaymesh CA"),
        ("access", "access-1", ""),
    ],
)
async def test_who_is_somebody_else_is_cut_and_harms_nobody(
    relay: Relay, network: MemoryNetwork, role: NodeRole, name: str, shown: str
) -> None:
    """Above all: a captured node can't push out the one whose name it gives."""
    honest = Node(name, "access", "a")
    await honest.connect(network.of(name, peers=Peers(f"access/{name}")))
    await honest.until(lambda: len(honest.got) == 3)
    captured = Node(name, role, "b")
    await captured.connect(network.of("captured", peers=Peers(shown)))
    await captured.until(lambda: relay.seating.violations == {"bad_certificate": 3})
    assert honest.read()
    assert not honest.gone
