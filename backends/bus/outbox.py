"""Publishers of one topic wait here; whatever waits at the same moment is sent together."""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from backends.bus.backoff import backoff_s
from backends.bus.counters import TopicCounters
from backends.bus.interface import BusUnavailableError
from backends.bus.settings import BusSettings
from proto.packs import EncodedRecord, encode_record
from proto.records import Record

log = structlog.get_logger(__name__)

MAX_BATCH_RECORDS = 2_000
"""Bounds what one slow send holds up behind it."""


class SendError(Exception):
    """The broker did not confirm; the text says why, for logs and for who waited in vain."""


class OutgoingRecord:
    """A record ready to be sent, and the key that keeps its order."""

    __slots__ = ("encoded", "order_key")

    def __init__(self, record: Record) -> None:
        self.encoded: EncodedRecord = encode_record(record)
        header = record.header
        self.order_key = header.room or (header.uids[0] if header.uids else header.id)


Send = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]
"""Sends records in order, all or none as far as it can tell; raises `SendError`."""


class _Waiter:
    def __init__(self, records: list[OutgoingRecord]) -> None:
        self.records = records
        self.settled = trio.Event()
        self.confirmed = False
        self.abandoned = False


class Outbox:
    """The queue before the broker, of at most `outbox_records`; publishers wait when it is full."""

    def __init__(
        self, topic: str, send: Send, settings: BusSettings, counters: TopicCounters
    ) -> None:
        self._topic = topic
        self._send = send
        self._settings = settings
        self._counters = counters
        self._queue: deque[_Waiter] = deque()
        self._work = trio.Event()
        self._space = trio.lowlevel.ParkingLot()
        self._problem = "the broker has not answered"

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when the broker keeps `records`; raises `BusUnavailableError` after the time-out.

        Raises `RecordTooLargeError` at once for a record that fits no pack.
        """
        waiter = _Waiter([OutgoingRecord(record) for record in records])
        if not records:
            return
        try:
            with trio.move_on_after(self._settings.publish_timeout_s):
                await self._enqueue(waiter)
                await waiter.settled.wait()
        finally:
            waiter.abandoned = not waiter.confirmed
        if not waiter.confirmed:
            self._counters.publish_failures += len(records)
            raise BusUnavailableError(f"topic {self._topic}: {self._problem}")

    async def run(self) -> None:
        """Send what waits, batch by batch, until cancelled; then nobody is left waiting."""
        try:
            while True:
                await self._work.wait()
                await self._deliver(self._take_batch())
        finally:
            self._problem = "the bus is closed"
            for waiter in self._queue:
                waiter.settled.set()

    async def _enqueue(self, waiter: _Waiter) -> None:
        while self._queue and self._would_overflow(waiter):
            await self._space.park()
        self._queue.append(waiter)
        self._counters.waiting += len(waiter.records)
        self._work.set()

    def _would_overflow(self, waiter: _Waiter) -> bool:
        return self._counters.waiting + len(waiter.records) > self._settings.outbox_records

    def _take_batch(self) -> list[_Waiter]:
        batch: list[_Waiter] = []
        size = 0
        while self._queue and (not batch or size < MAX_BATCH_RECORDS):
            batch.append(self._queue.popleft())
            size += len(batch[-1].records)
        if not self._queue:
            self._work = trio.Event()
        return batch

    async def _deliver(self, batch: list[_Waiter]) -> None:
        try:
            await self._send_until_nobody_waits(batch)
        finally:
            for waiter in batch:
                self._counters.waiting -= len(waiter.records)
                waiter.settled.set()
            self._space.unpark_all()

    async def _send_until_nobody_waits(self, batch: list[_Waiter]) -> None:
        attempt = 1
        while wanted := [waiter for waiter in batch if not waiter.abandoned]:
            try:
                await self._send([record for waiter in wanted for record in waiter.records])
            except SendError as error:
                await self._back_off(attempt, str(error))
                attempt += 1
            else:
                self._confirm(wanted)
                return

    def _confirm(self, waiters: list[_Waiter]) -> None:
        for waiter in waiters:
            waiter.confirmed = True
            self._counters.published += len(waiter.records)

    async def _back_off(self, attempt: int, problem: str) -> None:
        self._problem = problem
        self._counters.publish_retries += 1
        log.warning("publish_failed", topic=self._topic, attempt=attempt, problem=problem)
        first_s, most_s = self._settings.backoff_first_s, self._settings.backoff_most_s
        await trio.sleep(backoff_s(attempt, first_s, most_s, random.random))
