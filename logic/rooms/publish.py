"""A client's chat, speech or gift: checked, limited, kept, answered."""

from collections.abc import Callable

from backends.rate_limit.interface import RateLimit
from logic.counters import Counters
from logic.rooms.capacity import Capacity
from logic.rooms.priority import priority_of
from logic.rooms.push_fields import publish_ok, published_fields
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.client_requests import Publish, parse_publish
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import RandomBits, new_id
from proto.priorities import Priority


class PublishHandler:
    """Serves `Method.PUBLISH`.

    The limit on urgent messages fails closed: it lives in the store that has to keep the message
    too, so that nothing could be published without it.
    """

    def __init__(
        self,
        writer: RoomWriter,
        urgent_limit: RateLimit,
        urgent_gift_value: Callable[[], int],
        capacity: Capacity,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
        counters: Counters,
    ) -> None:
        self._writer = writer
        self._urgent_limit = urgent_limit
        self._urgent_gift_value = urgent_gift_value
        self._capacity = capacity
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of the `ok`; raises `RequestError` or `StoreUnavailableError`."""
        frame = parse_publish(body)
        if frame.room != header.room:
            # The role was looked up for the header's room: it says nothing about another.
            raise RequestError(
                ErrorCode.BAD_FRAME, "room: differs from the request's", field="room"
            )
        priority = priority_of(frame, header.role, self._urgent_gift_value())
        self._capacity.admit(priority, self._now_ms())
        if priority is Priority.URGENT:
            await self._admit(header.uid)
        message = self._message(frame, header, priority)
        stands = await self._writer.write(message)
        return publish_ok(message.room, message.mid, stands)

    async def _admit(self, uid: str) -> None:
        wait_ms = await self._urgent_limit.take(uid)
        if wait_ms:
            self._counters.rate_limited += 1
            raise RequestError(
                ErrorCode.RATE_LIMITED,
                f"too many urgent messages: wait {wait_ms} ms",
                retry_after_ms=wait_ms,
            )

    def _message(self, frame: Publish, header: RequestHeader, priority: Priority) -> RoomMessage:
        ts_ms = self._now_ms()
        mid = frame.mid or new_id(self._random_bits)
        return RoomMessage(
            room=frame.room,
            priority=priority,
            kind=_kind(frame),
            fields=published_fields(frame, header, mid, ts_ms),
            uid=header.uid,
            mid=mid,
            ts_ms=ts_ms,
            trace=header.trace,
        )


def _kind(frame: Publish) -> str:
    return str(frame.__struct_config__.tag)
