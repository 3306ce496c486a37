"""What a broker handed to one subscription: unpacked, retried, buried; the same for every bus."""

import random
import time
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import structlog
import trio

from backends.bus.backoff import backoff_s
from backends.bus.counters import TopicCounters
from backends.bus.dead_letters import DeadLetter
from backends.bus.settings import BusSettings
from proto.packs import UnreadablePackError, unpack
from proto.records import Record

log = structlog.get_logger(__name__)

Key = TypeVar("Key", contravariant=True)


class Settler(Protocol[Key]):
    """The broker's side of an inbox."""

    def settle(self, key: Key) -> None:
        """The pack is done with: see to it that the broker forgets it."""

    def count_attempt(self, key: Key, attempt: int) -> None:
        """The `attempt`-th delivery of the pack is about to happen: remember it if possible."""

    async def bury(self, letter: DeadLetter) -> None:
        """Return when the dead-letter topic keeps `letter`; wait out a broker that is away."""


class Pack(Generic[Key]):
    """A body as it came from the broker, and the broker's key for it."""

    __slots__ = ("attempt", "body", "key")

    def __init__(self, key: Key, body: bytes, attempt: int) -> None:
        self.key = key
        self.body = body
        self.attempt = attempt


class Inbox(Generic[Key]):
    """Deliveries between a broker and one consumer, at most `in_flight` of them unsettled.

    The broker's side looks at `free` and gives no more than that; so nothing is ever dropped here.
    """

    def __init__(
        self,
        topic: str,
        group: str,
        settings: BusSettings,
        counters: TopicCounters,
        settler: Settler[Key],
        nursery: trio.Nursery,
    ) -> None:
        self.topic = topic
        self.group = group
        self.held: dict[Key, Pack[Key]] = {}
        self._settings = settings
        self._counters = counters
        self._settler = settler
        self._nursery = nursery
        self._space = trio.lowlevel.ParkingLot()
        self._in, self._out = trio.open_memory_channel["InboxDelivery[Key]"](settings.in_flight)

    @property
    def free(self) -> int:
        """How many more packs may be put."""
        return self._settings.in_flight - len(self.held)

    async def wait_for_space(self) -> int:
        """Wait until at least one pack may be put; returns how many may."""
        while self.free <= 0:
            await self._space.park()
        return self.free

    def put(self, key: Key, body: bytes, attempt: int) -> None:
        """Take a pack from the broker; one that is held already is left alone."""
        if key in self.held:
            return
        pack = self.held[key] = Pack(key, body, attempt)
        self._counters.in_flight += 1
        if attempt > self._settings.max_attempts:
            reason = f"gave up after {self._settings.max_attempts} attempts"
            self._nursery.start_soon(self.bury, pack, reason)
        else:
            self._open(pack)

    async def receive(self) -> "InboxDelivery[Key]":
        """Wait for the next delivery."""
        delivery = await self._out.receive()
        self._counters.delivered += len(delivery.records)
        return delivery

    def settle(self, pack: Pack[Key]) -> None:
        """Be done with `pack`."""
        if self.held.pop(pack.key, None) is not None:
            self._counters.in_flight -= 1
            self._settler.settle(pack.key)
            self._space.unpark_all()

    def abandon(self) -> list[Key]:
        """Forget what is held, for the broker to deliver elsewhere; returns its keys."""
        keys = list(self.held)
        self._counters.in_flight -= len(keys)
        self.held.clear()
        return keys

    async def bury(self, pack: Pack[Key], reason: str) -> None:
        """Keep `pack` on the dead-letter topic, then be done with it."""
        now_ms = time.time_ns() // 1_000_000
        letter = DeadLetter(self.topic, self.group, reason, pack.attempt, now_ms, pack.body)
        await self._settler.bury(letter)
        self._counters.buried += 1
        log.error("pack_buried", topic=self.topic, group=self.group, reason=reason)
        self.settle(pack)

    async def deliver_again(self, pack: Pack[Key], records: Sequence[Record]) -> None:
        """Wait out the backoff and deliver again, or bury what had its attempts."""
        if pack.attempt >= self._settings.max_attempts:
            await self.bury(pack, f"gave up after {pack.attempt} attempts")
            return
        self._counters.retried += 1
        first_s, most_s = self._settings.backoff_first_s, self._settings.backoff_most_s
        self._settler.count_attempt(pack.key, pack.attempt + 1)
        await trio.sleep(backoff_s(pack.attempt, first_s, most_s, random.random))
        pack.attempt += 1
        if pack.key in self.held:
            self._in.send_nowait(InboxDelivery(self, pack, records))

    def retry(self, pack: Pack[Key], records: Sequence[Record]) -> None:
        """Deliver again later, without holding up the caller."""
        self._nursery.start_soon(self.deliver_again, pack, records)

    def acknowledge(self, pack: Pack[Key], records: Sequence[Record]) -> None:
        """Be done with `pack` because it was handled."""
        self._counters.acknowledged += len(records)
        self.settle(pack)

    def _open(self, pack: Pack[Key]) -> None:
        try:
            records = unpack(pack.body)
        except UnreadablePackError as error:
            self._counters.unreadable += 1
            self._nursery.start_soon(self.bury, pack, f"unreadable: {error}")
            return
        if records:
            self._in.send_nowait(InboxDelivery(self, pack, records))
        else:
            self.settle(pack)


class InboxDelivery(Generic[Key]):
    """See `interface.Delivery`. The first of `ack`, `retry`, `bury` counts, others do nothing."""

    def __init__(self, inbox: Inbox[Key], pack: Pack[Key], records: Sequence[Record]) -> None:
        self._inbox = inbox
        self._pack = pack
        self._open = True
        self.records = records
        self.attempt = pack.attempt

    async def ack(self) -> None:
        """See `interface.Delivery.ack`."""
        if self._close():
            self._inbox.acknowledge(self._pack, self.records)

    async def retry(self) -> None:
        """See `interface.Delivery.retry`."""
        if self._close():
            self._inbox.retry(self._pack, self.records)

    async def bury(self, reason: str) -> None:
        """See `interface.Delivery.bury`."""
        if self._close():
            await self._inbox.bury(self._pack, reason)

    def _close(self) -> bool:
        was_open, self._open = self._open, False
        return was_open
