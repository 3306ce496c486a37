"""What waits for the bus of one priority: bounded, with one rule for when it is full."""

from collections import deque

from proto.priorities import Priority
from proto.records import Record


class OutgoingQueue:
    """Full: urgent and normal drop the newest, since heads tell the receivers' nodes of the gap
    and the room log fills it; bulk drops the oldest, since newer totals replace it."""

    def __init__(self, priority: Priority, limit: int) -> None:
        self._keeps_newest = priority is Priority.BULK
        self.limit = limit
        self._records: deque[Record] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> None:
        """Let `record` wait, or drop one."""
        if len(self._records) >= self.limit:
            self.dropped += 1
            if not self._keeps_newest:
                return
            self._records.popleft()
        self._records.append(record)

    def take(self, most: int) -> list[Record]:
        """Remove and return the records that go next, those of a room in its order.

        Tasks that were answered by the store together go on in any order; sorting what they left
        here puts it right, so that receivers see no gaps that are none.
        """
        taken = [self._records.popleft() for _ in range(min(most, len(self._records)))]
        return sorted(taken, key=lambda record: (record.header.room, record.header.seq))
