"""A bus within one process, for tests: what a broker would keep lives in `MemoryBroker`."""

import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from backends.bus.counters import BusCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.inbox import Inbox
from backends.bus.interface import Delivery, Subscription
from backends.bus.outbox import Outbox, OutgoingRecord, SendError
from backends.bus.settings import BusSettings
from proto.packs import join_packs
from proto.records import Record
from proto.topics import Topic


class MemoryGroup:
    """What one group has taken from a topic: the next offset, and who holds what since."""

    def __init__(self, start: int) -> None:
        self.next = start
        self.attempts: dict[int, int] = {}
        self.holders: dict[int, str] = {}

    def floor(self) -> int:
        """Return the first offset that the group still needs."""
        return min(self.attempts, default=self.next)

    def take(self, member: str, end: int) -> int | None:
        """Give `member` the first offset that nobody holds, or None when there is none."""
        returned = min((o for o in self.attempts if o not in self.holders), default=None)
        if returned is None:
            if self.next == end:
                return None
            returned, self.next = self.next, self.next + 1
            self.attempts[returned] = 0
        self.attempts[returned] += 1
        self.holders[returned] = member
        return returned

    def settle(self, offset: int) -> None:
        """Forget `offset`."""
        self.attempts.pop(offset, None)
        self.holders.pop(offset, None)

    def give_back(self, member: str) -> None:
        """Free what `member` holds."""
        self.holders = {o: holder for o, holder in self.holders.items() if holder != member}


class MemoryTopic:
    """A log of packs, trimmed to what some group still needs."""

    def __init__(self) -> None:
        self.packs: OrderedDict[int, bytes] = OrderedDict()
        self.end = 0
        self.groups: dict[str, MemoryGroup] = {}
        self.dead_letters: list[bytes] = []

    def append(self, body: bytes) -> None:
        """Keep a pack."""
        self.packs[self.end] = body
        self.end += 1
        self.trim()

    def trim(self) -> None:
        """Drop what every group has settled."""
        floor = min((group.floor() for group in self.groups.values()), default=self.end)
        while self.packs and next(iter(self.packs)) < floor:
            self.packs.popitem(last=False)


class MemoryBroker:
    """What several `MemoryBus` objects share; `up = False` plays a broker that is away."""

    def __init__(self) -> None:
        self.topics: dict[str, MemoryTopic] = {}
        self.changed = trio.lowlevel.ParkingLot()
        self.up = True

    def topic(self, name: str) -> MemoryTopic:
        """Return the topic called `name`, made when it is new."""
        return self.topics.setdefault(name, MemoryTopic())

    def append(self, name: str, bodies: Sequence[bytes], most_packs: int) -> None:
        """Keep all of `bodies` or raise `SendError`."""
        if not self.up:
            raise SendError("the broker is away")
        topic = self.topic(name)
        if len(topic.packs) + len(bodies) > most_packs:
            raise SendError(f"the topic is full: {most_packs} packs wait")
        for body in bodies:
            topic.append(body)
        self.changed.unpark_all()

    def start(self) -> None:
        """Be there again."""
        self.up = True
        self.changed.unpark_all()

    def stop(self) -> None:
        """Be away, keeping everything."""
        self.up = False


class MemoryBus:
    """See `interface.Bus`; runs while `run` does."""

    def __init__(self, settings: BusSettings, broker: MemoryBroker, nursery: trio.Nursery) -> None:
        self.counters = BusCounters()
        self._settings = settings
        self._broker = broker
        self._nursery = nursery
        self._outboxes = {topic: self._make_outbox(topic) for topic in Topic}
        for outbox in self._outboxes.values():
            nursery.start_soon(outbox.run)

    async def publish(self, topic: Topic, records: Sequence[Record]) -> None:
        """See `interface.Bus.publish`."""
        await self._outboxes[topic].publish(records)

    def _make_outbox(self, topic: Topic) -> Outbox:
        async def send(records: Sequence[OutgoingRecord]) -> None:
            bodies = join_packs([record.encoded for record in records])
            self._broker.append(self._name(topic), bodies, self._settings.backlog_packs)
            self.counters[topic].packs_published += len(bodies)

        return Outbox(topic, send, self._settings, self.counters[topic])

    def _name(self, topic: Topic) -> str:
        return f"{self._settings.prefix}-{topic}"

    @asynccontextmanager
    async def subscribe(self, topic: Topic, group: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe`."""
        subscription = MemorySubscription(self, self._broker, self._name(topic), topic, group)
        try:
            self._nursery.start_soon(subscription.run)
            yield subscription
        finally:
            subscription.close()

    @asynccontextmanager
    async def subscribe_broadcast(self, topic: Topic, name: str) -> AsyncIterator[Subscription]:
        """See `interface.Bus.subscribe_broadcast`."""
        group = f"{name}-{uuid.uuid4().hex[:8]}"
        try:
            async with self.subscribe(topic, group) as subscription:
                yield subscription
        finally:
            self._broker.topic(self._name(topic)).groups.pop(group)

    def make_inbox(
        self, topic: Topic, group: str, subscription: "MemorySubscription"
    ) -> Inbox[int]:
        """Return the inbox of one subscription."""
        counters = self.counters[topic]
        return Inbox(topic, group, self._settings, counters, subscription, self._nursery)


class MemorySubscription:
    """See `interface.Subscription`; also the broker's side of its inbox."""

    def __init__(
        self, bus: MemoryBus, broker: MemoryBroker, name: str, topic: Topic, group: str
    ) -> None:
        self._broker = broker
        self._topic = broker.topic(name)
        self._group = self._topic.groups.setdefault(group, MemoryGroup(self._topic.end))
        self._counters = bus.counters[topic]
        self._member = uuid.uuid4().hex
        self._scope = trio.CancelScope()
        self._inbox = bus.make_inbox(topic, group, self)

    async def receive(self) -> Delivery:
        """See `interface.Subscription.receive`."""
        return await self._inbox.receive()

    async def lag(self) -> int:
        """See `interface.Subscription.lag`: packs."""
        waiting = len(self._group.attempts) - len(self._group.holders)
        self._counters.lag = self._topic.end - self._group.next + waiting
        return self._counters.lag

    async def run(self) -> None:
        """Hand packs to the inbox until closed."""
        with self._scope:
            while True:
                await self._inbox.wait_for_space()
                offset = self._take()
                if offset is None:
                    await self._broker.changed.park()
                else:
                    body, attempt = self._topic.packs[offset], self._group.attempts[offset]
                    self._inbox.put(offset, body, attempt)

    def close(self) -> None:
        """Leave the group; others get what was not settled."""
        self._scope.cancel()
        self._inbox.abandon()
        self._group.give_back(self._member)
        self._broker.changed.unpark_all()

    def settle(self, key: int) -> None:
        """See `inbox.Settler.settle`."""
        self._group.settle(key)
        self._topic.trim()

    def count_attempt(self, key: int, attempt: int) -> None:
        """See `inbox.Settler.count_attempt`."""
        self._group.attempts[key] = attempt

    async def bury(self, letter: DeadLetter) -> None:
        """See `inbox.Settler.bury`."""
        self._topic.dead_letters.append(letter.encode())

    def _take(self) -> int | None:
        return self._group.take(self._member, self._topic.end) if self._broker.up else None
