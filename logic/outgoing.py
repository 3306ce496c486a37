"""The ways from the room log to the bus: answers never wait for them."""

import trio
from msgspec.structs import replace

from backends.bus.interface import Bus
from logic.outgoing_way import HotWay, OrdinaryWay, OutgoingWay
from proto.heat import ORDINARY, Ways
from proto.priorities import Priority
from proto.records import Record


class Outgoing:
    """A queue for each priority and way; a bus that is away is tried again until it is back."""

    def __init__(self, bus: Bus, limit: int) -> None:
        self.ordinary = tuple(OrdinaryWay(bus, priority, limit) for priority in Priority)
        self.hot = tuple(HotWay(bus, priority, limit) for priority in Priority)

    def reconfigured(self, limit: int) -> None:
        """Have another bound of each queue from now on; what waits beyond it stays."""
        for way in self.ways:
            way.queue.limit = limit

    @property
    def ways(self) -> tuple[OutgoingWay, ...]:
        """All of them."""
        return *self.ordinary, *self.hot

    def put(self, priority: Priority, record: Record, ways: Ways = ORDINARY) -> None:
        """Hand `record` over; never waits, and may drop (see `OutgoingQueue`)."""
        if ways.ordinary:
            self.ordinary[priority].put(record)
        if ways.pool:
            header = replace(record.header, pool=ways.pool, fence=ways.fence)
            self.hot[priority].put(Record(header, record.body))

    def depth(self, priority: Priority) -> int:
        """Return how many records of `priority` the bus does not have yet, by either way."""
        return self.ordinary[priority].depth + self.hot[priority].depth

    async def run(self) -> None:
        """Feed the bus until cancelled."""
        async with trio.open_nursery() as nursery:
            for way in self.ways:
                nursery.start_soon(way.run)

    async def drained(self) -> None:
        """Return when the bus has all."""
        while any(way.depth for way in self.ways):
            await trio.sleep(0.01)
