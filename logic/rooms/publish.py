"""A client's chat, speech or gift: checked, limited, kept, answered."""

from collections.abc import Callable

from backends.room_log.interface import Payment, Terms
from logic.moderation.permissions import require
from logic.rooms.capacity import Capacity
from logic.rooms.gifts import Gifts
from logic.rooms.priority import priority_of
from logic.rooms.push_fields import publish_ok, published_fields
from logic.rooms.urgent import UrgentAllowance
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.client_requests import Chat, Publish, parse_publish
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import RandomBits, new_id
from proto.priorities import Priority
from proto.roles import rank


class PublishHandler:
    """Serves `Method.PUBLISH`."""

    def __init__(
        self,
        writer: RoomWriter,
        gifts: Gifts,
        urgent: UrgentAllowance,
        capacity: Capacity,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._writer = writer
        self._gifts = gifts
        self._urgent = urgent
        self._capacity = capacity
        self._now_ms = now_ms
        self._random_bits = random_bits

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of the `ok`; raises `RequestError` or `StoreUnavailableError`."""
        frame = parse_publish(body)
        if frame.room != header.room:
            # The role was looked up for the header's room: it says nothing about another.
            raise RequestError(
                ErrorCode.BAD_FRAME, "room: differs from the request's", field="room"
            )
        require(header.role, _kind(frame))
        try:
            payment = self._gifts.payment(frame, header.uid)
        except RequestError as error:
            return await self._answered_before(frame, header, error)
        priority = priority_of(frame, self._gifts.urgent_value())
        self._capacity.admit(priority, self._now_ms())
        if priority is Priority.URGENT:
            await self._urgent.take(header.uid)
        message = self._message(frame, header, priority, payment)
        stands = await self._writer.write(message)
        return publish_ok(message.room, message.mid, stands)

    async def _answered_before(
        self, frame: Publish, header: RequestHeader, refused: RequestError
    ) -> bytes:
        """Return the first answer to this `mid`, if it had one: the receipt was good then."""
        first = await self._writer.recall(frame.room, header.uid, frame.mid) if frame.mid else None
        if first is None:
            raise refused
        return publish_ok(frame.room, frame.mid or "", first)

    def _message(
        self, frame: Publish, header: RequestHeader, priority: Priority, payment: Payment | None
    ) -> RoomMessage:
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
            terms=Terms(rank(header.role), slow=isinstance(frame, Chat), payment=payment),
        )


def _kind(frame: Publish) -> str:
    return str(frame.__struct_config__.tag)
