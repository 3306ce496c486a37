"""See `interface.Bus`: publishing, and the way to the subscriptions."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import redis
import trio

from backends.bus.counters import BusCounters
from backends.bus.interface import Subscription
from backends.bus.outbox import Outbox, OutgoingRecord, SendError
from backends.bus.redis_streams.broadcast import BroadcastSubscription
from backends.bus.redis_streams.group import GroupSubscription
from backends.bus.redis_streams.stream import Group, Stream
from backends.bus.settings import BusSettings
from backends.redis.pool import Pool
from proto.packs import join_packs
from proto.records import Record
from proto.topics import Topic


class RedisBus:
    """See `interface.Bus`; its tasks run in `nursery`."""

    def __init__(self, settings: BusSettings, pool: Pool, nursery: trio.Nursery) -> None:
        self.counters = BusCounters()
        self._settings = settings
        self._pool = pool
        self._nursery = nursery
        self._outboxes = {topic: self._make_outbox(topic) for topic in Topic}
        for outbox in self._outboxes.values():
            nursery.start_soon(outbox.run)

    async def publish(self, topic: Topic, records: Sequence[Record]) -> None:
        """See `interface.Bus.publish`."""
        await self._outboxes[topic].publish(records)

    @asynccontextmanager
    async def subscribe(self, topic: Topic, group: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe`."""
        member = Group(self._pool, self._stream(topic), group, uuid.uuid4().hex)
        subscription = GroupSubscription(
            topic,
            member,
            self._dead_stream(topic),
            self._settings,
            self.counters[topic],
            self._nursery,
        )
        await subscription.join()
        self._nursery.start_soon(subscription.run)
        try:
            yield subscription
        finally:
            await subscription.leave()

    @asynccontextmanager
    async def subscribe_broadcast(self, topic: Topic, name: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe_broadcast`."""
        streams = self._stream(topic), self._dead_stream(topic)
        subscription = BroadcastSubscription(
            topic, name, streams, self._settings, self.counters[topic], self._nursery
        )
        await subscription.join()
        self._nursery.start_soon(subscription.run)
        try:
            yield subscription
        finally:
            subscription.leave()

    def _make_outbox(self, topic: Topic) -> Outbox:
        stream, counters = self._stream(topic), self.counters[topic]

        async def append(bodies: list[bytes]) -> bool:
            if await stream.append(bodies, self._settings.backlog_packs):
                return True
            await stream.trim(self._settings.retention_s)
            return await stream.append(bodies, self._settings.backlog_packs)

        async def send(records: Sequence[OutgoingRecord]) -> None:
            bodies = join_packs([record.encoded for record in records])
            try:
                kept = await append(bodies)
            except (redis.RedisError, OSError) as error:
                raise SendError(f"Redis did not confirm: {error}") from error
            if not kept:
                raise SendError(f"the stream is full: {self._settings.backlog_packs} packs wait")
            counters.packs_published += len(bodies)

        return Outbox(topic, send, self._settings, counters)

    def _stream(self, topic: Topic) -> Stream:
        return Stream(self._pool, f"{self._settings.prefix}:bus:{topic}")

    def _dead_stream(self, topic: Topic) -> Stream:
        return Stream(self._pool, f"{self._settings.prefix}:bus:{topic}:dead")
