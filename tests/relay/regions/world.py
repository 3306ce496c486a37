"""Regions in one process: relays that dial each other, and nodes, over links in memory."""

from collections.abc import Callable, Mapping
from itertools import permutations

import trio

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.settings import BusSettings
from backends.links.flow import FAR_DIALER_WINDOW
from backends.links.memory import MemoryNetwork
from mesh.addresses import lane_urls
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope, Kind, encode
from proto.headers import (
    NodeRole,
    ReplyHeader,
    RequestHeader,
    RoomHeader,
    decode_request,
    encode_header,
)
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.regions import Regions
from relay.regions.settings import RegionRelays
from relay.relay import Relay
from relay.settings import Settings

LANE_PORTS = 3


class Node:
    """A node of a region: what it is, and what came to it."""

    def __init__(self) -> None:
        self.mesh: MeshNode
        self.received: list[tuple[str, Envelope]] = []
        self.answer: Callable[[RequestHeader, bytes], bytes] | None = None

    def receive(self, relay: str, envelope: Envelope) -> None:
        self.received.append((relay, envelope))
        if envelope.kind == Kind.REQUEST and self.answer is not None:
            asked = decode_request(envelope.header)
            body = self.answer(asked, envelope.body)
            header = encode_header(ReplyHeader(asked.request, asked.incarnation))
            reply = encode(Kind.REPLY, Priority.NORMAL, asked.source.encode(), header, body)
            self.mesh.offer(relay, Priority.NORMAL, reply)

    def bodies(self, kind: Kind = Kind.ROOM) -> list[bytes]:
        return [envelope.body for _, envelope in self.received if envelope.kind == kind]


class World:
    """Relays `eu-1`… for each region of `sizes`; `rooms` are pinned by `home`."""

    def __init__(
        self, nursery: trio.Nursery, network: MemoryNetwork, sizes: Mapping[str, int]
    ) -> None:
        self.network = network
        self.sizes = sizes
        rooms = {f"{region}-room": region for region in sizes}
        self.regions = Regions(names=tuple(sizes), im=next(iter(sizes)), rooms=rooms)
        self.relays: dict[str, Relay] = {}
        self._nursery = nursery
        self._scopes: dict[str, trio.CancelScope] = {}
        self.brokers = {region: MemoryBroker() for region in sizes}

    def names(self, region: str) -> list[str]:
        return [f"{region}-{number}" for number in range(1, self.sizes[region] + 1)]

    def of(self, region: str) -> list[Relay]:
        return [self.relays[name] for name in self.names(region) if name in self.relays]

    async def start(self) -> None:
        for region in self.sizes:
            for name in self.names(region):
                self.start_relay(name)
        await self.all_linked()

    def start_relay(self, name: str) -> Relay:
        region = name.rpartition("-")[0]
        links = tuple(
            RegionRelays(region=other, relays=tuple(map(address, self.names(other))))
            for other in self.sizes
            if other != region
        )
        settings = Settings(listen=address(name), regions=self.regions, links=links)
        me = NodeIdentity(node=name, region=region, incarnation=f"{name}-life")
        relay = Relay(settings, me, self.network.of(name, FAR_DIALER_WINDOW))
        relay.carry_hot(self.bus(region))
        self.relays[name] = relay
        self._run(name, relay.run)
        return relay

    def bus(self, region: str) -> MemoryBus:
        return MemoryBus(BusSettings(kind="memory"), self.brokers[region], self._nursery)

    def kill(self, name: str) -> None:
        self._scopes.pop(name).cancel()
        self.relays.pop(name, None)

    async def all_linked(self) -> None:
        await until(lambda: all(self.linked(*pair) for pair in permutations(self.sizes, 2)))

    def linked(self, region: str, other: str) -> bool:
        names = sorted(relay._node.node for relay in self.of(other))
        return all(
            sorted(relay.forwarding.crossing.neighbours.reachable(other, "")) == names
            for relay in self.of(region)
        )

    async def node(self, name: str, role: NodeRole, *rooms: str) -> Node:
        """Start a node `REGION-…`, wait until it is up and its rooms are known at home."""
        region, node = name.partition("-")[0], Node()
        settings = MeshSettings(relays=list(map(address, self.names(region))))
        me = NodeIdentity(node=name, region=region, incarnation=f"{name}-life")
        node.mesh = MeshNode(me, role, settings, self.network, node.receive)
        self._run(name, node.mesh.run)
        await until(lambda: all(name in relay.forwarding.peers for relay in self.of(region)))
        for room in rooms:
            node.mesh.want(room)
        await trio.sleep(0.5)
        return node

    def delay(self, one: str, other: str, seconds: float) -> None:
        """Before `start`: what goes between the regions takes `seconds`."""
        for dialer, url in self._between(one, other):
            self.network.delay(dialer, url, seconds)

    def part(self, one: str, other: str) -> None:
        """Cut the regions off each other."""
        for dialer, url in self._between(one, other):
            self.network.part(dialer, url)

    def part_relay(self, name: str, other: str) -> None:
        """Cut one relay off another region."""
        region = name.rpartition("-")[0]
        for dialer, url in self._between(region, other):
            if name in (dialer, url.partition("://")[2].partition(":")[0]):
                self.network.part(dialer, url)

    def rejoin(self, one: str, other: str) -> None:
        for dialer, url in self._between(one, other):
            self.network.rejoin(dialer, url)

    def crossed(self, region: str, other: str) -> int:
        """Return how many envelopes have gone from `region` to `other`."""
        links = [relay.region_links[other] for relay in self.of(region)]
        return sum(each.envelopes_out for link in links for each in link.traffic)

    def _between(self, one: str, other: str) -> list[tuple[str, str]]:
        return [
            (dialer, url)
            for here, there in ((one, other), (other, one))
            for dialer in self.names(here)
            for relay in self.names(there)
            for url in lane_urls(address(relay))
        ]

    def _run(self, name: str, run: Callable[[], object]) -> None:
        scope = self._scopes[name] = trio.CancelScope()

        async def scoped() -> None:
            with scope:
                await run()  # type: ignore[misc]

        self._nursery.start_soon(scoped)


def address(relay: str) -> str:
    return ",".join(f"tcp://{relay}:{lane}" for lane in Priority)


def room_message(room: str, seq: int, lane: Priority = Priority.NORMAL) -> bytes:
    header = encode_header(RoomHeader("e", seq, 0))
    return encode(Kind.ROOM, lane, room.encode(), header, b"%d" % seq)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    with trio.fail_after(within_s):
        while not condition():
            await trio.sleep(0.005)
