"""The way from a commit to the bus: which conversations have something new.

An event only wakes the diffusion, which takes what is new from the database. So events of one
conversation become one, nothing waits for the bus, and what is lost the sweeper sends again.
"""

from collections.abc import Callable, Sequence

import structlog
import trio

from backends.bus.interface import Bus, BusUnavailableError
from backends.database.appending import Appended
from proto.records import Record, RecordHeader
from proto.topics import Topic

BATCH_EVENTS = 500
RETRY_S = 0.2
log = structlog.get_logger()

Committed = Callable[[Sequence[Appended], str], None]
"""Takes messages that were just committed, and the trace of who asked for that."""


class Event:
    """Message `seq` of `conv` is new, and all before it that nobody has taken. `ts_ms` is when the
    oldest of those that became this event was committed."""

    __slots__ = ("conv", "seq", "trace", "ts_ms")

    def __init__(self, conv: str, seq: int, ts_ms: int, trace: str) -> None:
        self.conv, self.seq, self.ts_ms, self.trace = conv, seq, ts_ms, trace

    def record(self) -> Record:
        """Return the record for the bus."""
        header = RecordHeader(
            id=f"{self.conv}/{self.seq}",
            kind="conversation",
            ts_ms=self.ts_ms,
            trace=self.trace,
            room=self.conv,
            seq=self.seq,
        )
        return Record(header, b"")


class Events:
    """Holds the newest event of at most `limit` conversations until the bus takes it."""

    def __init__(self, bus: Bus, limit: int) -> None:
        self._bus = bus
        self._limit = limit
        self._waiting: dict[str, Event] = {}
        self._wake = trio.Event()
        self._sending = 0
        self.published = 0
        self.dropped = 0
        """Events that did not fit, or that the bus did not confirm."""

    @property
    def depth(self) -> int:
        """How many conversations' events the bus does not have yet."""
        return len(self._waiting) + self._sending

    def committed(self, appended: Sequence[Appended], trace: str) -> None:
        """Take messages that were just committed; never waits."""
        for each in appended:
            self.put(each.conv, each.seq, each.ts_ms, trace)

    def put(self, conv: str, seq: int, ts_ms: int, trace: str = "") -> None:
        """Let an event wait, or drop it where too many do."""
        event = self._waiting.get(conv)
        if event is not None:
            event.seq = max(event.seq, seq)
        elif len(self._waiting) < self._limit:
            self._waiting[conv] = Event(conv, seq, ts_ms, trace)
            self._wake.set()
        else:
            self.dropped += 1

    async def run(self) -> None:
        """Feed the bus until cancelled."""
        while True:
            await self._wake.wait()
            batch = [self._waiting.pop(conv) for conv in list(self._waiting)[:BATCH_EVENTS]]
            if not self._waiting:
                self._wake = trio.Event()
            if batch and not await self._published(batch):
                await trio.sleep(RETRY_S)

    async def drained(self) -> None:
        """Return when the bus has all that came so far, or has refused it."""
        while self.depth:
            await trio.sleep(0.01)

    async def _published(self, batch: list[Event]) -> bool:
        self._sending = len(batch)
        try:
            await self._bus.publish(Topic.CONVERSATIONS, [event.record() for event in batch])
        except BusUnavailableError as error:
            self.dropped += len(batch)
            log.warning("events_dropped", events=len(batch), reason=str(error))
            return False
        finally:
            self._sending = 0
        self.published += len(batch)
        return True
