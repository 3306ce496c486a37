"""A moderator's request: permitted or not, then kept and told to the room in one step."""

from collections.abc import Callable

import msgspec

from backends.moderation.interface import Moderation
from backends.room_log.interface import Appended, Terms
from logic.moderation import permissions
from logic.moderation.changes import Moderator, change_of, push_of, until_ms
from logic.rooms.capacity import Capacity
from logic.rooms.urgent import UrgentAllowance
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import RandomBits, new_id
from proto.moderation import Moderate, ModerateOk, check, decode_moderate
from proto.priorities import Priority
from proto.roles import higher, rank
from proto.server_frames import encode_json


class ModerateHandler:
    """Serves `Method.MODERATE`.

    The role that counts is the higher one of the token's (in the header) and of the one given in
    the room, read anew each time: a role that was taken away ends with the next request.
    """

    def __init__(
        self,
        writer: RoomWriter,
        moderation: Moderation,
        urgent: UrgentAllowance,
        capacity: Capacity,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._writer = writer
        self._moderation = moderation
        self._urgent = urgent
        self._capacity = capacity
        self._now_ms = now_ms
        self._random_bits = random_bits

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of a `ModerateOk`; raises `RequestError` or `StoreUnavailableError`."""
        asked = _read(header, body)
        by = await self._permitted(header, asked)
        self._capacity.admit(Priority.URGENT, self._now_ms())
        if by.role != "server":
            await self._urgent.take(header.uid)
        message = self._message(asked, by, header)
        stands = await self._writer.write(message)
        return _ok(asked, message.mid, stands)

    async def _permitted(self, header: RequestHeader, asked: Moderate) -> Moderator:
        uids = [header.uid, asked.uid or header.uid]
        own, target = await self._moderation.roles(header.room, uids)
        role = higher(header.role, own)
        of = "" if asked.uid is None else await self._role_of(asked.uid, target, header, role)
        permissions.require(role, asked.action, of=of, granted=asked.role or "")
        return Moderator(header.uid, header.name, role)

    async def _role_of(self, uid: str, given: str, header: RequestHeader, own: str) -> str:
        if uid == header.uid:
            return own
        return higher(given, await self._moderation.staff_role(header.room, uid))

    def _message(self, asked: Moderate, by: Moderator, header: RequestHeader) -> RoomMessage:
        ts_ms = self._now_ms()
        mid = asked.mid or new_id(self._random_bits)
        return RoomMessage(
            room=asked.room,
            priority=Priority.URGENT,
            kind="moderation",
            fields=encode_json(push_of(asked, by, mid, ts_ms, header.trace)),
            uid=header.uid,
            mid=mid,
            ts_ms=ts_ms,
            trace=header.trace,
            terms=Terms(_UNBOUND, change=change_of(asked, by, ts_ms)),
        )


_UNBOUND = rank("server")
"""A mute or a ban keeps nobody from moderating: who may not has no role."""


def _read(header: RequestHeader, body: bytes) -> Moderate:
    try:
        asked = decode_moderate(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error)) from None
    if asked.room != header.room:
        raise RequestError(ErrorCode.BAD_FRAME, "room: differs from the request's", field="room")
    check(asked)
    return asked


def _ok(asked: Moderate, mid: str, stands: Appended) -> bytes:
    until = until_ms(asked, stands.ts_ms)
    return encode_json(
        ModerateOk(
            asked.room,
            asked.action,
            asked.uid or "",
            until,
            stands.epoch,
            stands.seq,
            stands.ts_ms,
            mid,
        )
    )
