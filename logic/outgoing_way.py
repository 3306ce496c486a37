"""One way from logic to the bus: a queue of one priority, and the task that empties it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import structlog
import trio

from backends.bus.interface import Bus, BusUnavailableError
from logic.outgoing_queue import OutgoingQueue
from proto.priorities import Priority
from proto.records import Record
from proto.topics import Topic

BATCH_RECORDS = 500
RETRY_S = 0.2
log = structlog.get_logger()


class OutgoingWay(ABC):
    """Tries a bus that is away again until it is back."""

    name: ClassVar[str]

    def __init__(self, bus: Bus, priority: Priority, limit: int) -> None:
        self.priority = priority
        self.queue = OutgoingQueue(priority, limit)
        self._bus = bus
        self._wake = trio.Event()
        self._sending = 0
        self.sent = 0
        """Records that the bus has confirmed."""

    @property
    def depth(self) -> int:
        """How many records the bus does not have yet."""
        return len(self.queue) + self._sending

    def put(self, record: Record) -> None:
        """Take `record`; never waits, and may drop (see `OutgoingQueue`)."""
        self.queue.put(record)
        self._wake.set()

    async def run(self) -> None:
        """Feed the bus until cancelled."""
        while True:
            await self._wake.wait()
            batch = self.queue.take(BATCH_RECORDS)
            if batch:
                await self._send(batch)
            else:
                self._wake = trio.Event()

    @abstractmethod
    def _by_topic(self, batch: list[Record]) -> dict[Topic, list[Record]]:
        """Say on which topic each record goes."""

    async def _send(self, batch: list[Record]) -> None:
        self._sending = len(batch)
        for topic, records in self._by_topic(batch).items():
            while not await self._sent(topic, records):
                await trio.sleep(RETRY_S)
            self._sending -= len(records)
            self.sent += len(records)

    async def _sent(self, topic: Topic, records: Sequence[Record]) -> bool:
        try:
            await self._bus.publish(topic, records)
        except BusUnavailableError as error:
            log.warning(
                "bus_unavailable",
                priority=self.priority.label,
                way=self.name,
                waiting=self.depth,
                reason=str(error),
            )
            return False
        return True


class OrdinaryWay(OutgoingWay):
    """To routers, which know who wants what."""

    name = "ordinary"

    def _by_topic(self, batch: list[Record]) -> dict[Topic, list[Record]]:
        return {Topic.of(self.priority): batch}


class HotWay(OutgoingWay):
    """To relays that are asked for a pool."""

    name = "hot"

    def _by_topic(self, batch: list[Record]) -> dict[Topic, list[Record]]:
        found: dict[Topic, list[Record]] = {}
        for record in batch:
            topic = Topic.hot(self.priority, record.header.pool)
            found.setdefault(topic, []).append(record)
        return found
