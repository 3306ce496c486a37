"""See `interface.Bus`: publishing, and the way to the subscriptions."""

import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import ModuleType
from typing import TypeVar
from zlib import crc32

import structlog
import trio

from backends.bus.backoff import backoff_s
from backends.bus.counters import BusCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.interface import Subscription
from backends.bus.outbox import Outbox, OutgoingRecord, SendError
from backends.bus.rocketmq.admin import Admin
from backends.bus.rocketmq.consumer import Consumer
from backends.bus.rocketmq.producer import Producer
from backends.bus.rocketmq.remoting import RemotingError
from backends.bus.rocketmq.subscription import SHUT_DOWN_WITHIN_S, RocketMQSubscription
from backends.bus.settings import BusSettings
from proto.packs import EMPTY_PACK, EncodedRecord, join_packs
from proto.records import Record
from proto.topics import Topic

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

DEAD_LETTER_QUEUES = 1
PROBE_EVERY_S = 0.2


class RocketMQBus:
    """See `interface.Bus`; lives between `start` and `stop`."""

    def __init__(self, settings: BusSettings, client: ModuleType, nursery: trio.Nursery) -> None:
        self.counters = BusCounters()
        self._settings = settings
        self._client = client
        self._nursery = nursery
        self._admin = Admin(settings.url)
        self._sender = trio.CapacityLimiter(1)
        self._queues: dict[Topic, int] = {}
        group, instance = f"{settings.prefix}-publishers", uuid.uuid4().hex
        self._producer = Producer(client, group, instance, settings.url)
        self._outboxes = {
            topic: Outbox(topic, partial(self._send, topic), settings, self.counters[topic])
            for topic in Topic
        }

    async def start(self) -> None:
        """Start the native producer and this bus's tasks."""
        await trio.to_thread.run_sync(self._producer.start)
        for outbox in self._outboxes.values():
            self._nursery.start_soon(outbox.run)

    async def stop(self) -> None:
        """End the native producer."""
        with trio.move_on_after(SHUT_DOWN_WITHIN_S, shield=True):
            await self._in_sender(self._producer.shut_down)

    async def publish(self, topic: Topic, records: Sequence[Record]) -> None:
        """See `interface.Bus.publish`."""
        await self._outboxes[topic].publish(records)

    @asynccontextmanager
    async def subscribe(self, topic: Topic, group: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe`."""
        await self._until_made(topic)
        full_group = f"{self._name(topic)}-{group}"
        await self._until_done(partial(self._admin.start_at_end, full_group, self._name(topic)))
        ask_lag = partial(self._admin.lag, full_group, self._name(topic))
        subscription = self._subscription(
            topic, group, self._consumer(full_group, broadcasting=False), ask_lag
        )
        async with self._running(topic, subscription):
            yield subscription

    @asynccontextmanager
    async def subscribe_broadcast(self, topic: Topic, name: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe_broadcast`."""
        queues = await self._until_made(topic)
        # One group for all: in this mode the client keeps the offsets, and the broker nothing.
        consumer = self._consumer(f"{self._name(topic)}-broadcast", broadcasting=True)

        def ask_lag() -> int:
            return max(0, self._admin.total(self._name(topic)) - sum(subscription.read_to.values()))

        subscription = self._subscription(topic, name, consumer, ask_lag)
        async with self._running(topic, subscription):
            await self._until_every_queue_is_read(topic, queues, subscription)
            yield subscription

    def _subscription(
        self, topic: Topic, group: str, consumer: Consumer, ask_lag: Callable[[], int]
    ) -> RocketMQSubscription:
        return RocketMQSubscription(
            topic,
            group,
            consumer,
            partial(self._until_done, ask_lag),
            self._keep_letter,
            self._settings,
            self.counters[topic],
            self._nursery,
        )

    def _consumer(self, group: str, *, broadcasting: bool) -> Consumer:
        return Consumer(
            self._client,
            group,
            uuid.uuid4().hex,
            self._settings.url,
            threads=self._settings.in_flight,
            broadcasting=broadcasting,
        )

    @asynccontextmanager
    async def _running(
        self, topic: Topic, subscription: RocketMQSubscription
    ) -> AsyncIterator[None]:
        token = trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(subscription.start, self._name(topic), token)
        try:
            yield
        finally:
            await subscription.leave()

    async def _until_every_queue_is_read(
        self, topic: Topic, queues: int, subscription: RocketMQSubscription
    ) -> None:
        """Send empty packs until each queue's comes: what is published before may be missed."""
        names = {str(number).encode() for number in range(queues)}
        while missing := names - subscription.read_to.keys():
            for queue in missing:
                await self._keep(self._name(topic), EMPTY_PACK, int(queue))
            await trio.sleep(PROBE_EVERY_S)

    async def _send(self, topic: Topic, records: Sequence[OutgoingRecord]) -> None:
        packs = partition_packs(records, await self._made(topic))
        await self._in_sender(partial(self._send_packs, self._name(topic), packs))
        self.counters[topic].packs_published += len(packs)

    def _send_packs(self, topic: str, packs: list[tuple[int, bytes]]) -> None:
        for partition, body in packs:
            self._producer.send(topic, body, partition)

    async def _in_sender(self, call: Callable[[], Result]) -> Result:
        """Run `call` in the one thread that may use the producer; turns are taken in order."""
        return await trio.to_thread.run_sync(call, limiter=self._sender, abandon_on_cancel=True)

    async def _until_made(self, topic: Topic) -> int:
        """Return how many queues `topic` has; waits out a broker that is away."""
        if topic not in self._queues:
            self._queues[topic] = await self._until_done(partial(self._make_topic, topic))
        return self._queues[topic]

    async def _made(self, topic: Topic) -> int:
        """As `_until_made`, but raises `SendError` where the broker is away."""
        if topic not in self._queues:
            try:
                make = partial(self._make_topic, topic)
                queues = await trio.to_thread.run_sync(make, abandon_on_cancel=True)
            except (RemotingError, OSError) as error:
                raise SendError(f"RocketMQ has not made the topic yet: {error}") from error
            self._queues[topic] = queues
        return self._queues[topic]

    def _make_topic(self, topic: Topic) -> int:
        """Make the topic where it is new, when it is first used: most are not, on most nodes."""
        name = self._name(topic)
        self._admin.make_topic(name, self._settings.partitions)
        self._admin.make_topic(self._dead_name(topic), DEAD_LETTER_QUEUES)
        count = len(self._admin.queues(name))
        if not count:
            raise RemotingError(f"topic {name} has no queues yet")
        return count

    async def _keep_letter(self, letter: DeadLetter) -> None:
        await self._keep(self._dead_name(Topic(letter.topic)), letter.encode(), 0)

    async def _keep(self, topic: str, body: bytes, partition: int) -> None:
        send = partial(self._producer.send, topic, body, partition)
        await self._until_done(send, self._sender)

    async def _until_done(
        self, call: Callable[[], Result], limiter: trio.CapacityLimiter | None = None
    ) -> Result:
        attempt = 1
        while True:
            try:
                return await trio.to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=True)
            except (SendError, RemotingError, OSError) as error:
                log.warning("bus_call_failed", attempt=attempt, problem=str(error))
            first_s, most_s = self._settings.backoff_first_s, self._settings.backoff_most_s
            await trio.sleep(backoff_s(attempt, first_s, most_s, random.random))
            attempt += 1

    def _name(self, topic: Topic) -> str:
        return f"{self._settings.prefix}-{topic}"

    def _dead_name(self, topic: Topic) -> str:
        return f"{self._name(topic)}-dead"


def partition_packs(records: Sequence[OutgoingRecord], queues: int) -> list[tuple[int, bytes]]:
    """Return packs with the queue of each: records with one order key stay in one queue."""
    partitions: dict[int, list[EncodedRecord]] = {}
    for record in records:
        queue = crc32(record.order_key.encode()) % queues
        partitions.setdefault(queue, []).append(record.encoded)
    return [(queue, body) for queue, held in partitions.items() for body in join_packs(held)]


@asynccontextmanager
async def open_rocketmq(
    settings: BusSettings, client: ModuleType, nursery: trio.Nursery
) -> AsyncIterator[RocketMQBus]:
    """Start a bus, and shut its native producer down in the end, whatever happens."""
    bus = RocketMQBus(settings, client, nursery)
    try:
        await bus.start()
        yield bus
    finally:
        nursery.cancel_scope.cancel()
        await bus.stop()
