"""A logic node on twins in memory, with virtual time."""

import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from backends.answers.memory import MemoryAnswers
from backends.bus.connect import open_bus
from backends.bus.memory import MemoryBroker
from backends.bus.settings import BusSettings
from backends.database.database import Database
from backends.errors import StoreUnavailableError
from backends.leases.memory import MemoryDuties, MemoryRegistry
from backends.likes.memory import MemoryCensus, MemoryChangedRooms, MemoryLikes
from backends.moderation.memory import MemoryModeration
from backends.rate_limit.interface import Rate
from backends.rate_limit.memory import MemoryRateLimit
from backends.revocations.memory import MemoryRevocations
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.retention import Retention
from backends.routes.memory import MemoryRoutes
from logic.node import Logic
from logic.parts import Parts
from logic.settings import Settings
from proto.headers import RequestHeader
from proto.identity import NodeIdentity
from proto.packs import unpack
from proto.records import Record
from proto.services import Method, encode
from proto.topics import Topic
from tests import gifts

START_MS = 1_790_000_000_000
IDENTITY = NodeIdentity(node="logic-1", region="local", incarnation="l1", http_url="http://l")
IN_JSON = (Method.PUBLISH, Method.PUSH, Method.MODERATE, Method.MODERATION)


class FakeMesh:
    """Relays that keep what they are sent."""

    certificate = None

    def __init__(self) -> None:
        self.up = ["relay-1"]
        self.sent: list[tuple[str, Any, bytes]] = []

    def carriers(self, key: str) -> list[str]:
        return self.up

    async def send(self, relay: str, priority: Any, envelope: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append((relay, priority, envelope))

    def offer(self, relay: str, priority: Any, envelope: bytes) -> bool:
        self.sent.append((relay, priority, envelope))
        return True


class Gate:
    """Stands before a store's twin; `away` makes each call fail as a store that is away does."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.away = False
        self.error: Exception = StoreUnavailableError("away")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await trio.lowlevel.checkpoint()
            if self.away:
                raise self.error
            return await method(*args, **kwargs)

        return call


class World:
    """The twins that all nodes of a test share; `logic()` makes a node."""

    def __init__(self, broker: MemoryBroker, bus: Any, database: Database) -> None:
        self.broker = broker
        self.bus = bus
        self.mesh = FakeMesh()
        bits = random.Random(3).getrandbits
        self.likes = Gate(MemoryLikes())
        self.moderation = MemoryModeration(now_ms)
        facts: Any = {"now_ms": now_ms, "random_bits": bits, "moderation": self.moderation}
        self.room_log = Gate(MemoryRoomLog(Retention(), **facts))
        self.registry = MemoryRegistry(trio.current_time)
        self.census = MemoryCensus(now_ms)
        self.changed = MemoryChangedRooms()
        self.parts = Parts(
            bus=bus,
            room_log=self.room_log,
            moderation=self.moderation,
            registry=self.registry,
            duties=MemoryDuties(trio.current_time),
            likes=self.likes,
            census=self.census,
            changed=self.changed,
            urgent_limit=MemoryRateLimit(Rate(5, 10), now_ms),
            answers=MemoryAnswers(),
            database=database,
            routes=MemoryRoutes(),
            providers={},
            revocations=MemoryRevocations(now_ms),
            rate_limits=partial(MemoryRateLimit, now_ms=now_ms),
            now_ms=now_ms,
            random_bits=bits,
        )

    def logic(self, identity: NodeIdentity = IDENTITY, **settings: Any) -> Logic:
        settings = {"receipts": gifts.SETTINGS} | settings
        return Logic(Settings(**settings), identity, self.parts, self.mesh)

    def records(self, topic: Topic) -> list[Record]:
        """What the broker has of `topic`."""
        bodies = self.broker.topic(f"relaymesh-{topic}").packs.values()
        return [record for body in bodies for record in unpack(body)]

    def dead(self, topic: Topic) -> int:
        return len(self.broker.topic(f"relaymesh-{topic}").dead_letters)


def now_ms() -> int:
    return START_MS + round(trio.current_time() * 1000)


@pytest.fixture
async def world(autojump_clock: Any, database: Database) -> AsyncIterator[World]:
    broker = MemoryBroker()
    # A group that takes nothing: the broker keeps everything for the test to look at.
    settings = BusSettings(kind="memory", publish_timeout_s=1.0)
    async with open_bus(settings, broker) as bus:
        for topic in Topic:
            broker.topic(f"relaymesh-{topic}").groups["test"] = _keep_all()
        yield World(broker, bus, database)


def _keep_all() -> Any:
    from backends.bus.memory import MemoryGroup

    return MemoryGroup(0)


@pytest.fixture
def ask(world: World) -> Any:
    """Ask a node as a request from the mesh would; answers decoded where they are JSON."""

    async def ask(logic: Logic, method: Method, body: Any = b"", **header: Any) -> Any:
        fields = {"uid": "ann", "name": "Ann", "role": "viewer", "room": "a", "trace": "t1"}
        fields |= header
        asked = RequestHeader(1, "access-1", "i1", method, 2000, **fields)
        if method in (Method.PUBLISH, Method.MODERATE) and not isinstance(body, bytes):
            body = msgspec.json.encode({"id": 1, "room": "a"} | body)
        elif not isinstance(body, bytes):
            body = encode(body)
        answer = await logic.dispatch.handle(asked, body)
        return msgspec.json.decode(answer) if method in IN_JSON else answer

    return ask


@pytest.fixture
def logic(world: World) -> Logic:
    """A node whose tasks do not run: its handlers, and its way to the bus by hand."""
    return world.logic()


@pytest.fixture
async def running(world: World, nursery: trio.Nursery) -> Any:
    """Start a node and return it with the event that stops it."""

    async def start(identity: NodeIdentity = IDENTITY, **settings: Any) -> tuple[Logic, trio.Event]:
        node, stopping = world.logic(identity, **settings), trio.Event()
        nursery.start_soon(node.run, stopping)
        await trio.testing.wait_all_tasks_blocked()
        return node, stopping

    return start
