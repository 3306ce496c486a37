"""Consumes one topic of the bus: what is received is sent, and what is sent is acknowledged."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog
import trio

from backends.bus.interface import Bus, BusUnavailableError, Delivery, Subscription
from backends.bus.seen import Seen
from proto.records import Record
from proto.topics import Topic
from router.counters import Counters
from router.deliver import Deliverer
from router.envelopes import flaw

GROUP = "routers"
LAG_INTERVAL_S = 1.0
MAX_NAMED = 3
"""How many records the reason of a burial names."""

log = structlog.get_logger()


class Taken(NamedTuple):
    """A delivery with its records sorted: what to send at once and what to look up,
    what is open already, what is poison."""

    delivery: Delivery
    at_once: list[Record]
    users: list[Record]
    again: list[str]
    flaws: list[str]


class Consumer:
    """One topic's way from the bus to the mesh. Each topic has a consumer and a task of its own,
    so that a lane that pushes back holds no other.

    Rooms, and what is for everybody, are sent as they are received, so that each stays in order.
    Users' records, which may need a lookup, follow in the background. The bus bounds how many
    deliveries are open (`bus.in_flight`), and hands out no more while these wait for the relays.
    """

    def __init__(
        self, topic: Topic, bus: Bus, deliverer: Deliverer, seen: Seen, counters: Counters
    ) -> None:
        self._topic = topic
        self._bus = bus
        self._deliverer = deliverer
        self._seen = seen
        self._counters = counters
        self._open: dict[str, trio.Event] = {}
        self._receiving = trio.CancelScope()
        self.consuming = False

    async def run(self, stopping: trio.Event) -> None:
        """Consume until `stopping`, then finish what is open."""
        async with (
            self._bus.subscribe(self._topic, GROUP) as subscription,
            trio.open_nursery() as helpers,
        ):
            helpers.start_soon(self._sample_lag, subscription)
            helpers.start_soon(self._stop_receiving, stopping)
            self.consuming = True
            async with trio.open_nursery() as background:
                while (delivery := await self._next(subscription, stopping)) is not None:
                    await self._take(delivery, background)
            self.consuming = False
            helpers.cancel_scope.cancel()

    async def _next(self, subscription: Subscription, stopping: trio.Event) -> Delivery | None:
        with trio.CancelScope() as self._receiving:
            return None if stopping.is_set() else await subscription.receive()
        return None

    async def _stop_receiving(self, stopping: trio.Event) -> None:
        """End the wait for more, and nothing else: what is taken is still sent and settled."""
        await stopping.wait()
        self._receiving.cancel()

    async def _take(self, delivery: Delivery, background: trio.Nursery) -> None:
        self._counters.consumed[self._topic] += len(delivery.records)
        self._counters.in_flight[self._topic] += 1
        taken = self._sort(delivery)
        done = trio.Event()
        self._open.update((record.header.id, done) for record in (*taken.at_once, *taken.users))
        for record in taken.at_once:
            await self._forward(record)
        background.start_soon(self._finish, taken, done)

    async def _forward(self, record: Record) -> None:
        if record.header.kind == "room":
            await self._deliverer.room(record)
        else:
            await self._deliverer.everybody(record)

    def _sort(self, delivery: Delivery) -> Taken:
        taken = Taken(delivery, [], [], [], [])
        for record in delivery.records:
            reason = flaw(record)
            if reason:
                taken.flaws.append(f"record {record.header.id[:40]!r}: {reason}")
            elif not self._seen.is_new(record.header.id, trio.current_time()):
                self._counters.duplicates[self._topic] += 1
                taken.again.append(record.header.id)
            else:
                (taken.users if record.header.kind == "users" else taken.at_once).append(record)
        return taken

    async def _finish(self, taken: Taken, done: trio.Event) -> None:
        if taken.users:
            await self._deliverer.users(taken.users)
        for record in (*taken.at_once, *taken.users):
            del self._open[record.header.id]
        done.set()
        # What came again while its first delivery is open must not be settled before that.
        for record_id in taken.again:
            if record_id in self._open:
                await self._open[record_id].wait()
        await self._settle(taken.delivery, taken.flaws)
        self._counters.in_flight[self._topic] -= 1

    async def _settle(self, delivery: Delivery, flaws: Sequence[str]) -> None:
        try:
            if flaws:
                await self._bury(delivery, flaws)
            else:
                await delivery.ack()
        except BusUnavailableError as error:
            # It comes again, is known by its id, and is settled then.
            self._counters.settle_failures[self._topic] += 1
            log.warning("settle_failed", topic=self._topic.value, error=str(error))

    async def _bury(self, delivery: Delivery, flaws: Sequence[str]) -> None:
        """Keep the delivery as poison; its good records have been sent before."""
        self._counters.buried[self._topic] += len(flaws)
        reason = "; ".join(flaws[:MAX_NAMED])
        log.warning("records_buried", topic=self._topic.value, count=len(flaws), reason=reason)
        await delivery.bury(reason)

    async def _sample_lag(self, subscription: Subscription) -> None:
        while True:
            try:
                self._counters.lag[self._topic] = await subscription.lag()
            except BusUnavailableError as error:
                log.info("lag_unknown", topic=self._topic.value, error=str(error))
            await trio.sleep(LAG_INTERVAL_S)
