"""The four roles as processes: the real thing over what a simulation gives it from outside."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio

from access.node import AccessNode
from access.settings import Settings as AccessSettings
from backends.bus.connect import open_bus
from backends.bus.settings import BusSettings
from backends.database.database import Database
from backends.database.settings import DatabaseSettings
from backends.idempotency.memory import MemoryIdempotency
from backends.links.memory import MemoryNetwork
from backends.provisioner.memory import MemoryPools
from backends.rate_limit.memory import MemoryRateLimit
from backends.room_log.retention import Retention
from logic.node import Logic
from logic.parts import Parts as LogicParts
from logic.settings import Settings as LogicSettings
from mesh.interface import Receive
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope
from proto.headers import NodeRole
from proto.identity import NodeIdentity
from proto.token_settings import TokenSettings
from relay.relay import Relay
from relay.settings import Settings as RelaySettings
from router.costs import Costs
from router.heat.settings import HeatSettings
from router.router import Parts as RouterParts
from router.router import Router
from router.settings import Settings as RouterSettings
from tests import gifts
from tests.conftest import run_inline
from tests.simulation.edge import LiveEdge
from tests.simulation.store import Broker, Client, Store, now_ms

SECRET = "a secret of more than thirty-two bytes, for tests"
BUS = BusSettings(kind="memory")
HEAT = HeatSettings(
    online=10, viewers_per_node=5, max_nodes=3, move_rate_per_s=3, stragglers_s=5, fall_s=2
)
"""A room of ten is hot."""
COSTS = Costs(round_trip_us=0)
"""Lookups next to free, so that with a few nodes already some pushes go precisely."""
LOGIC_PARTS = (
    "room_log", "moderation", "registry", "duties", "likes", "census", "changed", "urgent_limit",
    "answers", "routes",
)  # fmt: skip


@dataclass
class Process:
    """One life of a node; the fields are what its role has of them."""

    name: str
    identity: NodeIdentity
    pool: str = ""
    """Of an access node: the pool that it is dedicated to."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    mesh: MeshNode | None = None
    edge: LiveEdge | None = None
    access: AccessNode | None = None
    relay: Relay | None = None
    router: Router | None = None
    logic: Logic | None = None

    @property
    def role(self) -> str:
        return self.name.partition("-")[0]


class Outside:
    """What lies outside of all processes: the network, the store, the bus, and randomness."""

    def __init__(
        self, seed: int, relays: list[str], retention: Retention, nursery: trio.Nursery
    ) -> None:
        self.rng = random.Random(seed)
        self.network = MemoryNetwork()
        self.store = Store(self.own_rng(), retention)
        self.broker = Broker(self.own_rng(), nursery)
        # Goes with the simulation: nothing else holds it.
        self.folder = tempfile.TemporaryDirectory(prefix="rm-simulation-")
        url = f"sqlite:///{self.folder.name}/im.db"
        self.pools = MemoryPools()
        """What dedicated nodes the routers have asked for."""
        self.database = Database(DatabaseSettings(url=url, synchronous="NORMAL"), run_inline)
        self.addresses = {name: f"tcp://{name}:7730" for name in relays}
        self.after_store_call: Callable[[str, str], None] = lambda node, call: None
        """Called with each call's node and name when the store has done it, before the answer."""

    def own_rng(self) -> random.Random:
        """Return a source of randomness for one part alone."""
        return random.Random(self.rng.random())

    def store_client(self, process: Process, part: str) -> Any:
        """Return the process's way to a part of the store."""
        return Client(self.store, part, lambda call: self.after_store_call(process.name, call))

    def mesh_node(
        self, process: Process, role: NodeRole, receive: Receive, nursery: trio.Nursery
    ) -> MeshNode:
        """Start the process's end of the mesh."""
        settings = MeshSettings(relays=list(self.addresses.values()))
        links = self.network.of(process.name)
        process.mesh = MeshNode(process.identity, role, settings, links, receive)
        nursery.start_soon(process.mesh.run)
        return process.mesh


async def run_relay(outside: Outside, process: Process) -> None:
    settings = RelaySettings(listen=outside.addresses[process.name])
    process.relay = Relay(settings, process.identity, outside.network)
    async with open_bus(BUS, outside.broker) as bus:
        process.relay.carry_hot(bus)
        await process.relay.run()


async def run_access(outside: Outside, process: Process) -> None:
    async with trio.open_nursery() as nursery:
        rng = outside.own_rng()
        url = f"ws://{process.name}/v1"
        process.access = AccessNode(
            AccessSettings(tokens=TokenSettings(secret=SECRET), pool=process.pool, move_grace_s=2),
            process.identity,
            nursery,
            edge_of=LiveEdge,
            mesh_of=lambda receive: outside.mesh_node(process, "access", receive, nursery),
            routes=outside.store_client(process, "routes"),
            registry=outside.store_client(process, "registry"),
            one_use=outside.store_client(process, "one_use"),
            # Straight: four times a second and node, and no simulation revokes anything.
            revocations=outside.store.revocations,
            now_ms=now_ms,
            random=rng.random,
            random_bits=rng.getrandbits,
        )
        process.access.url = url
        edge = process.access.edge
        assert isinstance(edge, LiveEdge)
        process.edge = edge
        nursery.start_soon(edge.run)
        nursery.start_soon(process.access.run)


async def run_router(outside: Outside, process: Process) -> None:
    async with open_bus(BUS, outside.broker) as bus, trio.open_nursery() as nursery:
        parts = RouterParts(
            outside.mesh_node(process, "router", _nothing, nursery),
            bus,
            outside.store_client(process, "routes"),
            outside.store_client(process, "registry"),
            outside.store_client(process, "room_log"),
            outside.store_client(process, "heat"),
            outside.store_client(process, "census"),
            # Straight: each router renews sixteen of them a second, which would cost more than the
            # rest of the simulation. tests/router/heat has them fail.
            outside.store.duties,
            outside.store.revocations,
            # Nobody calls the gateway here.
            MemoryIdempotency(trio.current_time),
            lambda rate: MemoryRateLimit(rate, lambda: 0),
            outside.pools,
        )
        tokens = TokenSettings(secret=SECRET)
        settings = RouterSettings(tokens=tokens, bus=BUS, costs=COSTS, heat=HEAT)
        process.router = Router(settings, process.identity, parts)
        nursery.start_soon(process.router.run, trio.Event())


async def run_logic(outside: Outside, process: Process) -> None:
    def receive(relay: str, envelope: Envelope) -> None:
        assert process.logic is not None
        process.logic.receive(relay, envelope)

    async with open_bus(BUS, outside.broker) as bus, trio.open_nursery() as nursery:
        mesh = outside.mesh_node(process, "logic", receive, nursery)
        clients = {part: outside.store_client(process, part) for part in LOGIC_PARTS}
        random_bits = outside.own_rng().getrandbits
        parts = LogicParts(
            bus=bus,
            database=outside.database,
            providers={},
            revocations=outside.store.revocations,
            rate_limits=partial(MemoryRateLimit, now_ms=now_ms),
            now_ms=now_ms,
            random_bits=random_bits,
            **clients,
        )
        process.logic = Logic(
            LogicSettings(bus=BUS, receipts=gifts.SETTINGS), process.identity, parts, mesh
        )
        nursery.start_soon(process.logic.run, trio.Event())


RUN = {"relay": run_relay, "access": run_access, "router": run_router, "logic": run_logic}


def _nothing(relay: str, envelope: Envelope) -> None:
    """Nothing is meant for a router."""
