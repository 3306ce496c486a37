"""What was diffused as records for the bus: to users by their mailboxes, to hot streams."""

from collections.abc import Iterator, Mapping

from logic.mailbox.diffusion import Diffused, Posted, Streamed
from proto.conversations import hot_stream
from proto.packs import FRAME_BYTES, MAX_PACK_BYTES
from proto.priorities import Priority
from proto.records import MAX_UIDS_PER_RECORD, Record, RecordHeader

HEADER_BYTES = 1024
"""More than what a header takes besides its uids and their numbers."""
_QUOTES_AND_COMMAS = 4
Numbers = Mapping[str, int]


def records(diffused: Diffused, traces: Mapping[tuple[str, int], str]) -> Iterator[Record]:
    """Yield the records, each conversation's in its order; `traces` by (conv, seq)."""
    for posted in diffused.posted:
        yield from to_users(posted, traces.get(posted.message[:2], ""))
    for streamed in diffused.streamed:
        yield to_stream(streamed, diffused.epoch, traces.get(streamed.message[:2], ""))


def to_users(posted: Posted, trace: str) -> Iterator[Record]:
    """Yield the records of a message for its recipients, each with a part of them."""
    message = posted.message
    space = MAX_PACK_BYTES - FRAME_BYTES - HEADER_BYTES - len(posted.frame)
    for index, part in enumerate(parts(posted.numbers, space)):
        header = RecordHeader(
            id=f"{message.conv}/{message.seq}/{index}",
            kind="users",
            ts_ms=message.ts_ms,
            trace=trace,
            priority=Priority.NORMAL.label,
            uids=tuple(part),
            seqs=tuple(part.values()),
        )
        yield Record(header, posted.frame)


def to_stream(streamed: Streamed, epoch: str, trace: str) -> Record:
    """Return the record of a message for its group's hot stream."""
    message = streamed.message
    header = RecordHeader(
        id=f"{message.conv}/{message.seq}",
        kind="room",
        ts_ms=message.ts_ms,
        trace=trace,
        room=hot_stream(message.conv),
        priority=Priority.NORMAL.label,
        epoch=epoch,
        seq=message.seq,
    )
    return Record(header, streamed.frame)


def parts(numbers: Numbers, space_bytes: int) -> Iterator[dict[str, int]]:
    """Yield `numbers` in parts of at most `MAX_UIDS_PER_RECORD`, whose JSON takes at most
    `space_bytes`."""
    part: dict[str, int] = {}
    used = 0
    for uid, n in numbers.items():
        size = len(uid) + len(str(n)) + _QUOTES_AND_COMMAS
        if part and (len(part) == MAX_UIDS_PER_RECORD or used + size > space_bytes):
            yield part
            part, used = {}, 0
        part[uid] = n
        used += size
    if part:
        yield part
