"""Listens to the hot topics while somebody here wants something of them. A thin shell.

A delivery is settled as soon as its copies are in the lanes: what is lost after that, heads tell
the nodes of. While the nodes that want a topic are behind on its lane, its next delivery is left
with the bus.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
import trio

from backends.bus.interface import Bus, BusUnavailableError, Subscription
from proto.heat import HOT_SHARDS
from proto.priorities import Priority
from proto.records import Record
from proto.topics import Topic
from relay.hot.counters import HotCounters
from relay.hot.wanted import Wanted

LINGER_S = 5.0
"""How long a topic is listened to after nobody wants it: nodes that change relays come back."""

AGAIN_S = 1.0
"""Pause before a topic that could not be listened to is tried again."""

BEHIND_S = 0.005
"""Pause before receivers that are behind are looked at again."""

LAG_S = 5.0

Forward = Callable[[Priority, Sequence[Record]], None]
"""Hands records to the nodes that want them; never waits."""

Behind = Callable[[Priority, int], bool]
"""Says whether the receivers of a shard are behind on a lane."""

log = structlog.get_logger()


class HotConsumer:
    """Listens as `name`; `topics` are those that it is listening to now."""

    def __init__(
        self,
        bus: Bus,
        name: str,
        wanted: Wanted,
        counters: HotCounters,
        forward: Forward,
        behind: Behind,
    ) -> None:
        self._bus = bus
        self._name = name
        self._wanted = wanted
        self._counters = counters
        self._forward = forward
        self._behind = behind
        self._changed = trio.Event()
        self.topics: set[Topic] = set()
        wanted.changed = self._look

    async def run(self) -> None:
        """Listen to what is wanted until cancelled."""
        async with trio.open_nursery() as nursery:
            for shard in range(HOT_SHARDS):
                nursery.start_soon(self._keep, shard)

    def status(self) -> dict[str, Any]:
        """Return what goes the hot way here, as JSON-able values."""
        counters = self._counters
        return {
            "keys": len(self._wanted),
            "topics": sorted(topic.value for topic in self.topics),
            "records": sum(counters.records.values()),
            "forwarded": sum(counters.forwarded.values()),
            "copies": sum(counters.copies.values()),
        }

    def _look(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _keep(self, shard: int) -> None:
        while True:
            await self._until(shard, wanted=True)
            async with trio.open_nursery() as nursery:
                for priority in Priority:
                    nursery.start_soon(self._listen, shard, priority)
                await self._until_given_up(shard)
                nursery.cancel_scope.cancel()

    async def _until(self, shard: int, *, wanted: bool) -> None:
        while (shard in self._wanted.shards) is not wanted:
            await self._changed.wait()

    async def _until_given_up(self, shard: int) -> None:
        while True:
            await self._until(shard, wanted=False)
            with trio.move_on_after(LINGER_S) as lingering:
                await self._until(shard, wanted=True)
            if lingering.cancelled_caught:
                return

    async def _listen(self, shard: int, priority: Priority) -> None:
        """Listen to one topic until cancelled, and begin again where that fails."""
        topic = Topic.of_shard(priority, shard)
        while True:
            try:
                async with self._bus.subscribe_broadcast(topic, self._name) as subscription:
                    await self._take(subscription, topic, shard, priority)
            except* Exception as errors:
                # Clients of brokers raise what they like; no relay may end by it.
                self._counters.failures += 1
                log.warning("hot_topic_failed", topic=topic.value, error=repr(_first(errors)))
            await trio.sleep(AGAIN_S)

    async def _take(
        self, subscription: Subscription, topic: Topic, shard: int, priority: Priority
    ) -> None:
        self.topics.add(topic)
        log.info("hot_topic_joined", topic=topic.value)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._sample_lag, subscription, topic)
                while True:
                    await self._until_keeping_up(shard, priority)
                    delivery = await subscription.receive()
                    self._forward(priority, delivery.records)
                    await delivery.ack()
        finally:
            self.topics.discard(topic)
            self._counters.lag.pop(topic, None)
            log.info("hot_topic_left", topic=topic.value)

    async def _until_keeping_up(self, shard: int, priority: Priority) -> None:
        if self._behind(priority, shard):
            self._counters.holds[priority] += 1
            while self._behind(priority, shard):
                await trio.sleep(BEHIND_S)

    async def _sample_lag(self, subscription: Subscription, topic: Topic) -> None:
        while True:
            try:
                self._counters.lag[topic] = await subscription.lag()
            except BusUnavailableError as error:
                log.info("lag_unknown", topic=topic.value, error=str(error))
            await trio.sleep(LAG_S)


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
