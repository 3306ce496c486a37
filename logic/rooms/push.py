"""A back end's message: to a room as a notice, to users or to everybody as direct pushes."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from backends.answers.interface import Answers
from backends.bus.interface import Bus
from logic.counters import Counters
from logic.rooms.capacity import Capacity
from logic.rooms.push_fields import NoticeFields, publish_ok
from logic.rooms.push_rules import UserPush, check, everybody_record
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import RandomBits, new_id
from proto.priorities import Priority
from proto.server_frames import encode_json
from proto.services import PushBody, decode_push
from proto.topics import Topic


class PushOk(msgspec.Struct):
    """The `ok` of a push to users: how many were asked for, whether or not they are online."""

    mid: str
    ts: int
    uids: int


class PushAllOk(msgspec.Struct):
    """The `ok` of a push to everybody."""

    mid: str
    ts: int


class PushHandler:
    """Serves `Method.PUSH`, for back ends alone.

    A push to users or to everybody is answered after the bus keeps it, since nothing else does; a
    repeated `mid` gets the first answer. Should two attempts overlap, both go out with the same
    `mid`.
    """

    def __init__(
        self,
        writer: RoomWriter,
        bus: Bus,
        answers: Answers,
        max_uids: Callable[[], int],
        capacity: Capacity,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
        counters: Counters,
    ) -> None:
        self._writer = writer
        self._bus = bus
        self._answers = answers
        self._max_uids = max_uids
        self._capacity = capacity
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of the `ok`.

        Raises `RequestError`, `StoreUnavailableError` or `BusUnavailableError`.
        """
        if header.role != "server":
            raise RequestError(
                ErrorCode.FORBIDDEN, "role: only a back end (role `server`) may push"
            )
        push = decode_push(body)
        check(push, self._max_uids())
        self._capacity.admit(Priority.of(push.priority), self._now_ms())
        mid = push.mid or new_id(self._random_bits)
        if push.room:
            return await self._to_room(push, mid, header)
        if push.everybody:
            return await self._once(mid, header, partial(self._to_everybody, push, mid, header))
        return await self._once(mid, header, partial(self._to_users, push, mid, header))

    async def _to_room(self, push: PushBody, mid: str, header: RequestHeader) -> bytes:
        ts_ms = self._now_ms()
        message = RoomMessage(
            room=push.room,
            priority=Priority.of(push.priority),
            kind="notice",
            fields=encode_json(NoticeFields(msgspec.Raw(push.data), mid, ts_ms, header.trace)),
            uid=header.uid,
            mid=mid,
            ts_ms=ts_ms,
            trace=header.trace,
        )
        return publish_ok(push.room, mid, await self._writer.write(message))

    async def _once(
        self, mid: str, header: RequestHeader, work: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """Return what `work` answers, or answered to the same `mid` before."""
        first = await self._answers.recall(header.uid, mid)
        if first is not None:
            self._counters.repeated += 1
            return first
        answer = await work()
        await self._answers.remember(header.uid, mid, answer)
        return answer

    async def _to_everybody(self, push: PushBody, mid: str, header: RequestHeader) -> bytes:
        ts_ms = self._now_ms()
        record = everybody_record(UserPush(header.uid, mid, ts_ms, header.trace, push))
        await self._bus.publish(Topic.of(Priority.of(push.priority)), [record])
        return encode_json(PushAllOk(mid, ts_ms))

    async def _to_users(self, push: PushBody, mid: str, header: RequestHeader) -> bytes:
        user_push = UserPush(header.uid, mid, self._now_ms(), header.trace, push)
        await self._bus.publish(Topic.of(Priority.of(push.priority)), user_push.records())
        self._counters.direct_pushed += len(push.uids)
        return encode_json(PushOk(mid, user_push.ts_ms, len(push.uids)))
