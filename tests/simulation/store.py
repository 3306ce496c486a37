"""The store and the bus that all nodes share: the twins in memory, with delays and faults."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from backends.answers.memory import MemoryAnswers
from backends.bus.memory import MemoryBroker, MemoryTopic
from backends.bus.outbox import SendError
from backends.errors import StoreUnavailableError
from backends.heat.memory import MemoryHeat
from backends.leases.memory import MemoryDuties, MemoryRegistry
from backends.likes.memory import MemoryCensus, MemoryChangedRooms, MemoryLikes
from backends.moderation.memory import MemoryModeration
from backends.one_use.memory import MemoryOneUse
from backends.rate_limit.interface import Rate
from backends.rate_limit.memory import MemoryRateLimit
from backends.revocations.memory import MemoryRevocations
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.retention import Retention
from backends.routes.memory import MemoryRoutes

START_MS = 1_790_000_000_000
SLOWEST_CALL_S = 0.003
LATEST_DELIVERY_S = 0.1


def now_ms() -> int:
    return START_MS + round(trio.current_time() * 1000)


class Store:
    """What lives in Redis; `away` lets every call fail, done or not done."""

    def __init__(self, rng: random.Random, retention: Retention) -> None:
        self.rng = rng
        self.away = False
        self.moderation = MemoryModeration(now_ms)
        self.room_log = MemoryRoomLog(
            retention,
            now_ms=now_ms,
            random_bits=rng.getrandbits,
            moderation=self.moderation,
        )
        self.heat = MemoryHeat(self.room_log)
        self.routes = MemoryRoutes()
        self.registry = MemoryRegistry(trio.current_time)
        self.one_use = MemoryOneUse(trio.current_time)
        self.duties = MemoryDuties(trio.current_time)
        self.likes = MemoryLikes()
        self.census = MemoryCensus(now_ms)
        self.changed = MemoryChangedRooms()
        self.urgent_limit = MemoryRateLimit(Rate(50, 50), now_ms)
        self.answers = MemoryAnswers()
        self.revocations = MemoryRevocations(now_ms)

    async def call(self, method: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        await self._travel()
        result = await method(*args, **kwargs)
        await self._travel()
        return result

    async def _travel(self) -> None:
        await trio.sleep(self.rng.uniform(0, SLOWEST_CALL_S))
        if self.away:
            raise StoreUnavailableError("away")


class Client:
    """One node's way to a part of the store; `after` is called with what was done just now."""

    def __init__(self, store: Store, part: str, after: Callable[[str], None]) -> None:
        self._store = store
        self._inner = getattr(store, part)
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            async def done(*args: Any, **kwargs: Any) -> Any:
                result = await method(*args, **kwargs)
                self._after(name)
                return result

            return await self._store.call(done, *args, **kwargs)

        return call


class Broker(MemoryBroker):
    """A broker that delivers a share `disorder` of its packs late: half of them only so, half also
    in time."""

    def __init__(self, rng: random.Random, nursery: trio.Nursery) -> None:
        super().__init__()
        self.disorder = 0.0
        self._rng = rng
        self._nursery = nursery

    @property
    def waiting(self) -> int:
        """Packs that some group has not settled."""
        return sum(len(topic.packs) for topic in self.topics.values())

    @property
    def dead(self) -> int:
        return sum(len(topic.dead_letters) for topic in self.topics.values())

    def append(self, name: str, bodies: Sequence[bytes], most_packs: int) -> None:
        if not self.up:
            raise SendError("the broker is away")
        for body in bodies:
            fate = self._rng.random()
            if fate >= self.disorder / 2:
                super().append(name, [body], most_packs)
            if fate < self.disorder:
                self._nursery.start_soon(self._late, self.topic(name), body)

    async def _late(self, topic: MemoryTopic, body: bytes) -> None:
        await trio.sleep(self._rng.uniform(0, LATEST_DELIVERY_S))
        topic.append(body)
        self.changed.unpark_all()
