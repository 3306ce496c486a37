"""Real relays, routers and node ends in one process, over pynng, that count what they send."""

import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import trio

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.seen import Seen
from backends.bus.settings import BusSettings
from backends.leases.interface import NodeLease
from backends.leases.memory import MemoryRegistry
from backends.links.nng import NngLinks
from backends.routes.interface import Route
from backends.routes.memory import MemoryRoutes
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope, Kind
from proto.headers import NodeRole, decode_room, decode_users
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.records import Record
from proto.topics import Topic
from relay.relay import Relay
from relay.settings import Settings as RelaySettings
from router.consume import Consumer
from router.costs import Costs
from router.counters import Counters
from router.deliver import Deliverer
from router.dispatch import Dispatch
from router.presence import Presence

INCARNATION = "1"
LEASE_S = 3.0
QUIET_S = 0.1
"""Nothing more for so long after the routers are done: everything has arrived."""


@dataclass
class Tally:
    """What one run really sent: copies and bytes on each tier, and who was told how often."""

    relay_copies: int = 0
    relay_bytes: int = 0
    node_copies: int = 0
    node_bytes: int = 0
    told: Counter[str] = field(default_factory=Counter)


class CountingMesh(MeshNode):
    """A router's end of the mesh; `tally` counts what goes to the relays."""

    tally = Tally()

    async def send(self, relay: str, priority: Priority, envelope: bytes) -> None:
        """Send, and count what was taken."""
        await super().send(relay, priority, envelope)
        self.tally.relay_copies += 1
        self.tally.relay_bytes += len(envelope)


class Receiver:
    """An access node's part in it: reads the header, and the body for who is connected here."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.here: set[str] = set()
        self.tally = Tally()

    def receive(self, relay: str, envelope: Envelope) -> None:  # noqa: ARG002
        """Take an envelope from a relay."""
        if envelope.kind in (Kind.USERS, Kind.ROOM):
            self.tally.node_copies += 1
            self.tally.node_bytes += len(envelope.raw)
        if envelope.kind == Kind.USERS:
            self.tally.told.update(self.here.intersection(decode_users(envelope.header).uids))
        elif envelope.kind == Kind.ROOM:
            self.tally.told[f"{self.node}/{decode_room(envelope.header).seq}"] += 1


class SmallMesh:
    """The parts, running; `deliver` sends records through them, `deliver_hot` past the routers."""

    def __init__(
        self,
        routers: list[CountingMesh],
        receivers: dict[str, Receiver],
        relays: list[Relay],
        hot_bus: MemoryBus,
    ) -> None:
        self._routers = routers
        self._receivers = receivers
        self._relays = relays
        self._hot_bus = hot_bus
        self.ends: dict[str, MeshNode] = {}
        """The access nodes' ends of the mesh."""
        self.routes = MemoryRoutes()
        self._clock_s = 0.0
        self._registry = MemoryRegistry(lambda: self._clock_s, LEASE_S)

    async def place(self, uids: Sequence[str], random: Random) -> None:
        """Connect each of `uids` to a node drawn at random."""
        for number, uid in enumerate(uids):
            node = random.choice(list(self._receivers))
            self._receivers[node].here.add(uid)
            await self.routes.add([(uid, Route(node, INCARNATION, number))])

    async def settle_leases(self) -> None:
        """Let every node renew its lease until absence means something."""
        while not await self._registry.settled():
            for node in self._receivers:
                lease = NodeLease(node, "access", "local", INCARNATION, f"ws://{node}/v1", {})
                await self._registry.renew(lease)
            self._clock_s += 1.0

    async def deliver(
        self, records: Sequence[Record], costs: Costs
    ) -> tuple[Tally, list[Counters]]:
        """Publish `records`, have the routers deliver them, and return what was sent; the counters
        are one for each router."""
        tally = Tally()
        for router in self._routers:
            router.tally = tally
        for receiver in self._receivers.values():
            receiver.tally = tally
        async with trio.open_nursery() as nursery:
            broker = MemoryBroker()
            counters = [await self._route(mesh, costs, broker, nursery) for mesh in self._routers]
            publisher = MemoryBus(BusSettings(kind="memory"), broker, nursery)
            await publisher.publish(Topic.NORMAL, records)
            await _settled(counters, len(records), tally)
            nursery.cancel_scope.cancel()
        return tally, counters

    async def deliver_hot(self, records: Sequence[Record], pool: str) -> Tally:
        """Publish `records` for `pool` by the hot way; returns what was sent."""
        tally = Tally()
        for receiver in self._receivers.values():
            receiver.tally = tally
        before = self._hot_records()
        await self._hot_bus.publish(Topic.hot(Priority.NORMAL, pool), records)
        await _quiet(tally)
        tally.relay_copies = self._hot_records() - before
        return tally

    def listening(self) -> int:
        """Return how many relays listen for some pool."""
        return sum(bool(relay.hot and relay.hot.topics) for relay in self._relays)

    def _hot_records(self) -> int:
        return sum(sum(relay.forwarding.hot.records.values()) for relay in self._relays)

    async def _route(
        self, mesh: CountingMesh, costs: Costs, broker: MemoryBroker, nursery: trio.Nursery
    ) -> Counters:
        """Start a router over `mesh`; returns its counters."""
        counters, presence = Counters(), Presence(self._registry)
        await presence.refresh()
        deliverer = Deliverer(
            Dispatch(mesh, counters),
            self.routes,
            presence,
            lambda: len(mesh.up),
            costs,
            counters,
            lambda: 0,
        )
        # One delivery at a time, so that even a short burst shows how routers share the tasks.
        bus = MemoryBus(BusSettings(kind="memory", in_flight=1), broker, nursery)
        consumer = Consumer(Topic.NORMAL, bus, deliverer, Seen(), counters)
        nursery.start_soon(consumer.run, trio.Event())
        while not consumer.consuming:
            await trio.sleep(0)
        return counters


@asynccontextmanager
async def small_mesh(nodes: int, relays: int, routers: int) -> AsyncIterator[SmallMesh]:
    """Run the parts, with every end connected to every relay."""
    links = NngLinks()
    addresses = _free_addresses(relays)
    receivers = {name: Receiver(name) for name in (f"access-{n + 1}" for n in range(nodes))}
    settings = MeshSettings(relays=addresses)
    async with trio.open_nursery() as nursery:
        bus = MemoryBus(BusSettings(kind="memory"), MemoryBroker(), nursery)
        relaying = [
            Relay(RelaySettings(listen=address), _identity(f"relay-{number}"), links)
            for number, address in enumerate(addresses, 1)
        ]
        for relay in relaying:
            relay.carry_hot(bus)
            nursery.start_soon(relay.run)
        access: NodeRole = "access"
        ends = [
            MeshNode(_identity(node), access, settings, links, receiver.receive)
            for node, receiver in receivers.items()
        ]
        routing = [
            CountingMesh(_identity(f"router-{n + 1}"), "router", settings, links, _nothing)
            for n in range(routers)
        ]
        for end in (*ends, *routing):
            nursery.start_soon(end.run)
        while any(len(end.up) < relays for end in (*ends, *routing)):
            await trio.sleep(0.01)
        mesh = SmallMesh(routing, receivers, relaying, bus)
        mesh.ends = dict(zip(receivers, ends, strict=True))
        await mesh.settle_leases()
        yield mesh
        nursery.cancel_scope.cancel()


async def _settled(counters: Sequence[Counters], records: int, tally: Tally) -> None:
    while sum(sum(each.routed.values()) for each in counters) < records:
        await trio.sleep(0.005)
    await _quiet(tally)


async def _quiet(tally: Tally) -> None:
    before = -1
    while before != tally.node_copies:
        before = tally.node_copies
        await trio.sleep(QUIET_S)


def _identity(node: str) -> NodeIdentity:
    return NodeIdentity(node=node, region="local", incarnation=INCARNATION)


def _nothing(relay: str, envelope: Envelope) -> None:
    """Nothing is sent to a router here."""


def _free_addresses(relays: int) -> list[str]:
    """Return an address of three ports of the loopback for each relay."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(3 * relays)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        urls = [f"tcp://127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    return [",".join(urls[first : first + 3]) for first in range(0, len(urls), 3)]
