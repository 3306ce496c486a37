"""How a room is moderated now, for those who moderate it and for nodes that open it."""

from collections.abc import Iterable

from backends.moderation.interface import Moderation
from logic.moderation.permissions import require
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_room
from proto.moderation import (
    MAX_PAGE,
    Action,
    Bound,
    ModerationState,
    Standing,
    StateEntry,
    decode_state_body,
)
from proto.roles import higher, rank
from proto.server_frames import encode_json


class StateHandler:
    """Serves `Method.MODERATION`."""

    def __init__(self, moderation: Moderation) -> None:
        self._moderation = moderation

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of a `ModerationState`; raises `RequestError` or
        `StoreUnavailableError`."""
        if not is_room(header.room):
            raise RequestError(ErrorCode.BAD_FRAME, "room: is no name of a room", field="room")
        asked = decode_state_body(body)
        if not 1 <= asked.limit <= MAX_PAGE:
            message = f"limit: must be from 1 to {MAX_PAGE}"
            raise RequestError(ErrorCode.BAD_FRAME, message, field="limit")
        (given,) = await self._moderation.roles(header.room, [header.uid])
        require(higher(header.role, given), Action.MUTE)
        entries = await self._moderation.entries(header.room)
        return encode_json(page(header.room, entries, asked.cursor, asked.limit))


def page(room: str, entries: list[StateEntry], cursor: str, limit: int) -> ModerationState:
    """Return up to `limit` of `entries` that come behind `cursor`."""
    behind = [entry for entry in entries if _name(entry) > cursor]
    shown = behind[:limit]
    return ModerationState(room, shown, _name(shown[-1]) if len(behind) > limit else "")


def standing_of(entries: Iterable[StateEntry]) -> Standing | None:
    """Return what access nodes are told of `entries`; `None` where there are none."""
    standing = Standing({}, {}, {})
    for entry in entries:
        bound = Bound(entry.until_ms, rank(entry.by_role))
        if entry.kind == "ban":
            standing.bans[entry.uid] = bound
        elif entry.kind == "mute":
            standing.mutes[entry.uid] = bound
        elif entry.kind == "role":
            standing.roles[entry.uid] = (entry.role, entry.until_ms)
    return standing if standing.bans or standing.mutes or standing.roles else None


def _name(entry: StateEntry) -> str:
    return f"{entry.kind}:{entry.uid}"
