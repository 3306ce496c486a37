"""Signals: pushes to users that are told and not kept, such as who types or has read."""

from collections.abc import Callable, Sequence

from logic.outgoing import Outgoing
from proto.ids import RandomBits, new_id
from proto.priorities import Priority
from proto.records import MAX_UIDS_PER_RECORD, Record, RecordHeader


class Signals:
    """Sends them by the way to the bus that everything takes; never waits, and may drop."""

    def __init__(
        self, outgoing: Outgoing, *, now_ms: Callable[[], int], random_bits: RandomBits
    ) -> None:
        self._outgoing = outgoing
        self._now_ms = now_ms
        self._random_bits = random_bits
        self.sent = 0

    def send(self, priority: Priority, uids: Sequence[str], frame: bytes, trace: str) -> None:
        """Push `frame` to all connections of `uids`, wherever they are."""
        self.sent += len(uids)
        number = new_id(self._random_bits)
        for start in range(0, len(uids), MAX_UIDS_PER_RECORD):
            header = RecordHeader(
                id=f"{number}/{start}",
                kind="users",
                ts_ms=self._now_ms(),
                trace=trace,
                priority=priority.label,
                uids=tuple(uids[start : start + MAX_UIDS_PER_RECORD]),
            )
            self._outgoing.put(priority, Record(header, frame))
