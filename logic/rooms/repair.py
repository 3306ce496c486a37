"""What nodes ask to join a room or to fill a gap: heads, and parts of the room log."""

import msgspec

from backends.likes.interface import Census, Likes
from backends.moderation.interface import Moderation
from backends.room_log.interface import RoomLog
from logic.counters import Counters
from logic.living import Living
from logic.moderation.state import standing_of
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_room
from proto.priorities import Priority
from proto.services import FetchAnswer, decode_fetch, encode

MAX_ANSWER_BYTES = 512 * 1024
"""Frames of one answer to a fetch: an envelope carries a megabyte, and 200 notices can be six."""


class HeadsHandler:
    """Serves `Method.HEADS`: the heads, and what holds until the next push of each: the totals,
    and how the room is moderated (read after the heads, so that no later change is missed)."""

    def __init__(
        self,
        room_log: RoomLog,
        likes: Likes,
        census: Census,
        moderation: Moderation,
        living: Living,
    ) -> None:
        self._room_log = room_log
        self._likes = likes
        self._census = census
        self._moderation = moderation
        self._living = living

    async def handle(self, header: RequestHeader, _body: bytes) -> bytes:
        """Return a `HeadsHeader`; raises `RequestError` or `StoreUnavailableError`."""
        room = _checked_room(header)
        heads = await self._room_log.heads(room)
        likes = await self._likes.total(room)
        online = await self._census.online(room, self._living.lives)
        standing = standing_of(await self._moderation.entries(room))
        return encode(msgspec.structs.replace(heads, likes=likes, online=online, standing=standing))


class FetchHandler:
    """Serves `Method.FETCH`."""

    def __init__(self, room_log: RoomLog, counters: Counters) -> None:
        self._room_log = room_log
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return a `FetchAnswer`; raises `RequestError` or `StoreUnavailableError`."""
        room = _checked_room(header)
        asked = decode_fetch(body)
        if asked.priority not in tuple(Priority):
            raise RequestError(ErrorCode.BAD_FRAME, "priority: must be 0, 1 or 2", field="priority")
        answer = within(await self._room_log.fetch(room, asked), newest=asked.newest > 0)
        self._counters.fetched += len(answer.frames)
        return encode(answer)


def within(answer: FetchAnswer, *, newest: bool) -> FetchAnswer:
    """Return `answer` with as many frames as fit, one at least: the first, from behind which one
    asks again, or, where the `newest` were asked for, the last."""
    size = fitting = 0
    for _, frame in reversed(answer.frames) if newest else answer.frames:
        size += len(frame)
        if size > MAX_ANSWER_BYTES and fitting:
            break
        fitting += 1
    frames = answer.frames[-fitting:] if newest and fitting else answer.frames[:fitting]
    return msgspec.structs.replace(answer, frames=frames)


def _checked_room(header: RequestHeader) -> str:
    if not is_room(header.room):
        raise RequestError(ErrorCode.BAD_FRAME, "room: is no name of a room", field="room")
    return header.room
