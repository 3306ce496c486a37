"""Like counts on their way up: checked and put on the bus, answered when it keeps them."""

from collections.abc import Callable, Iterator

from backends.bus.interface import Bus
from logic.counters import Counters
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import RandomBits, is_room, new_id
from proto.records import Record, RecordHeader
from proto.requests.fields import MAX_SEQ
from proto.services import LikeCount, LikesBody, decode_likes, encode
from proto.topics import Topic

MAX_COUNTER_CHARACTERS = 64
COUNTS_PER_RECORD = 400
"""At the longest names 150 bytes each: within a record's body."""


class LikesHandler:
    """Serves `Method.LIKES`."""

    def __init__(
        self, bus: Bus, *, now_ms: Callable[[], int], random_bits: RandomBits, counters: Counters
    ) -> None:
        self._bus = bus
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return an empty answer; raises `RequestError` or `BusUnavailableError`."""
        counts = decode_likes(body).counts
        for count in counts:
            check_count(count)
        if counts:
            await self._bus.publish(Topic.LIKES, list(self._records(counts, header.trace)))
            self._counters.like_reports += len(counts)
        return b""

    def _records(self, counts: list[LikeCount], trace: str) -> Iterator[Record]:
        for start in range(0, len(counts), COUNTS_PER_RECORD):
            body = encode(LikesBody(counts[start : start + COUNTS_PER_RECORD]))
            record_id = new_id(self._random_bits)
            yield Record(RecordHeader(record_id, "likes", self._now_ms(), trace), body)


def check_count(like: LikeCount) -> None:
    """Raise `RequestError` that names the field, unless `like` can be counted."""
    if not is_room(like.room):
        raise RequestError(ErrorCode.BAD_FRAME, "room: is no name of a room", field="room")
    if not 1 <= len(like.counter) <= MAX_COUNTER_CHARACTERS:
        raise RequestError(
            ErrorCode.BAD_FRAME,
            f"counter: must have 1 to {MAX_COUNTER_CHARACTERS} characters",
            field="counter",
        )
    if not 0 <= like.count <= MAX_SEQ:
        raise RequestError(
            ErrorCode.BAD_FRAME, f"count: must be from 0 to {MAX_SEQ}", field="count"
        )
