"""The way from the room log to the bus: answers never wait for it."""

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


class Outgoing:
    """A queue for each priority; a bus that is away is tried again until it is back."""

    def __init__(self, bus: Bus, limit: int) -> None:
        self._bus = bus
        self.queues = tuple(OutgoingQueue(priority, limit) for priority in Priority)
        self._wake = [trio.Event() for _ in Priority]
        self._sending = [0 for _ in Priority]

    def put(self, priority: Priority, record: Record) -> None:
        """Hand `record` over; never waits, and may drop (see `OutgoingQueue`)."""
        self.queues[priority].put(record)
        self._wake[priority].set()

    def depth(self, priority: Priority) -> int:
        """Return how many records of `priority` the bus does not have yet."""
        return len(self.queues[priority]) + self._sending[priority]

    async def run(self) -> None:
        """Feed the bus until cancelled."""
        async with trio.open_nursery() as nursery:
            for priority in Priority:
                nursery.start_soon(self._feed, priority)

    async def drained(self) -> None:
        """Return when the bus has all."""
        while any(self.depth(priority) for priority in Priority):
            await trio.sleep(0.01)

    async def _feed(self, priority: Priority) -> None:
        while True:
            await self._wake[priority].wait()
            batch = self.queues[priority].take(BATCH_RECORDS)
            if batch:
                await self._send(priority, batch)
            else:
                self._wake[priority] = trio.Event()

    async def _send(self, priority: Priority, batch: list[Record]) -> None:
        self._sending[priority] = len(batch)
        while not await self._sent(priority, batch):
            await trio.sleep(RETRY_S)
        self._sending[priority] = 0

    async def _sent(self, priority: Priority, batch: list[Record]) -> bool:
        try:
            await self._bus.publish(Topic.of(priority), batch)
        except BusUnavailableError as error:
            waiting = self.depth(priority)
            log.warning(
                "bus_unavailable", priority=priority.label, waiting=waiting, reason=str(error)
            )
            return False
        return True
