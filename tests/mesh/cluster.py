"""A mesh in one process: relays and nodes over any kind of links, started and killed by name."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import trio

from backends.bus.interface import Bus
from backends.links.interface import Links
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope
from proto.headers import NodeRole
from proto.identity import NodeIdentity
from proto.priorities import Priority
from relay.relay import Relay
from relay.settings import Settings


class Inbox:
    """What a node has received: envelopes with the relay that they came from."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Envelope]] = []
        self.answer: Callable[[str, Envelope], None] | None = None

    def __call__(self, relay: str, envelope: Envelope) -> None:
        self.received.append((relay, envelope))
        if self.answer is not None:
            self.answer(relay, envelope)

    @property
    def bodies(self) -> list[bytes]:
        return [envelope.body for _, envelope in self.received]

    async def until(self, count: int, within_s: float = 5.0) -> list[bytes]:
        await until(lambda: len(self.received) >= count, within_s)
        return self.bodies


class Cluster:
    """Relays `relay-1`… at `addresses`, and nodes that dial all of them."""

    def __init__(self, nursery: trio.Nursery, links: Links, addresses: list[str]) -> None:
        self._nursery = nursery
        self._links = links
        self._addresses = addresses
        self._scopes: dict[str, trio.CancelScope] = {}
        self._lives = 0
        self.relays: dict[str, Relay] = {}
        self.all_logic: list[MeshNode] = []

    def start_relays(self) -> None:
        for number in range(len(self._addresses)):
            self.start_relay(number + 1)

    def start_relay(self, number: int, bus: Bus | None = None, **settings: float) -> Relay:
        name = f"relay-{number}"
        own = Settings(listen=self._addresses[number - 1], **settings)  # type: ignore[arg-type]
        relay = Relay(own, self._identity(name), self._links)
        if bus is not None:
            relay.carry_hot(bus)
        self.relays[name] = relay
        self._start(name, relay.run)
        return relay

    def node(self, name: str, role: NodeRole, **settings: float) -> tuple[MeshNode, Inbox]:
        inbox = Inbox()
        own = MeshSettings(relays=self._addresses, **settings)  # type: ignore[arg-type]
        node = MeshNode(self._identity(name), role, own, self._links, inbox)
        self._start(name, node.run)
        return node, inbox

    def kill(self, name: str) -> None:
        """End a relay or node without a word."""
        self._scopes.pop(name).cancel()

    async def leave(self, name: str) -> None:
        """End a relay as its drain does."""
        await self.relays[name].leave()
        self.kill(name)

    async def all_up(self, *nodes: MeshNode) -> None:
        running = len([name for name in self._scopes if name.startswith("relay-")])
        await until(lambda: all(len(node.up) == running for node in nodes))
        names = {node._identity.node for node in nodes}
        await until(
            lambda: all(
                names <= relay.forwarding.peers.keys()
                for name, relay in self.relays.items()
                if name in self._scopes
            )
        )

    def _identity(self, name: str) -> NodeIdentity:
        self._lives += 1
        return NodeIdentity(node=name, region="local", incarnation=f"life{self._lives}")

    def _start(self, name: str, run: Callable[[], object]) -> None:
        scope = self._scopes[name] = trio.CancelScope()

        async def scoped() -> None:
            with scope:
                await run()  # type: ignore[misc]

        self._nursery.start_soon(scoped)


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.002)


def free_addresses(count: int) -> list[str]:
    """Return addresses of three ports each, all of them different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count * len(Priority))]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        urls = [f"tcp://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    lanes = len(Priority)
    return [",".join(urls[first : first + lanes]) for first in range(0, len(urls), lanes)]
