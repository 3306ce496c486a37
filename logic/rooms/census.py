"""How many members a node has in its rooms: kept, and the rooms marked as changed."""

from backends.likes.interface import Census, ChangedRooms
from backends.moderation.interface import Moderation
from logic.counters import Counters
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_room, is_uid
from proto.roles import HOST, MODERATOR
from proto.services import RoomCensus, decode_census

MAX_ONLINE = 10_000_000
MAX_NAMES = 100


class CensusHandler:
    """Serves `Method.CENSUS`."""

    def __init__(
        self, census: Census, changed: ChangedRooms, moderation: Moderation, counters: Counters
    ) -> None:
        self._census = census
        self._changed = changed
        self._moderation = moderation
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return an empty answer; raises `RequestError` or `StoreUnavailableError`."""
        rooms = decode_census(body).rooms
        for room in rooms:
            _check(room)
        await self._census.report(header.source, header.incarnation, rooms)
        for room in rooms:
            if room.staff:
                await self._moderation.note_staff(room.room, room.staff)
        # Marked afterwards: a crash between is mended by the node's next report of all rooms.
        await self._changed.mark([room.room for room in rooms])
        self._counters.census_rooms += len(rooms)
        return b""


def _check(census: RoomCensus) -> None:
    if not is_room(census.room):
        raise RequestError(ErrorCode.BAD_FRAME, "room: is no name of a room", field="room")
    for name, count in (("online", census.online), ("entered_count", census.entered_count)):
        if not 0 <= count <= MAX_ONLINE:
            raise RequestError(
                ErrorCode.BAD_FRAME, f"{name}: must be from 0 to {MAX_ONLINE}", field=name
            )
    if len(census.entered) > MAX_NAMES or not all(map(is_uid, census.entered)):
        raise RequestError(
            ErrorCode.BAD_FRAME, f"entered: at most {MAX_NAMES} user ids", field="entered"
        )
    staff = [uid for uid, role in census.staff if role in (MODERATOR, HOST) and is_uid(uid)]
    if len(census.staff) > MAX_NAMES or len(staff) < len(census.staff):
        raise RequestError(
            ErrorCode.BAD_FRAME, f"staff: at most {MAX_NAMES} hosts and moderators", field="staff"
        )
