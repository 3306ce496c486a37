"""Moderation of rooms: what a client or a back end asks for, and what a room's state is.

`Method.MODERATE` takes the JSON of a `Moderate`, a client's own frame unread, and answers with the
JSON of a `ModerateOk`. `Method.MODERATION` takes a `StateBody` and answers with the JSON of a
`ModerationState`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from proto.errors import ErrorCode, RequestError
from proto.requests.fields import Frame, MessageId, Room, Uid
from proto.roles import HOST, MODERATOR

MAX_FOR_S = 365 * 24 * 3600
MAX_INTERVAL_S = 3600
MAX_REASON_CHARACTERS = 200
MAX_ENTRIES = 10_000
"""Of one room: mutes, bans, roles that were given, and its slow mode."""
MAX_PAGE = 1000
"""Entries in one answer about a room's state."""


class Action(StrEnum):
    """What is done to a user, or (`slow`, `unslow`) to the room."""

    MUTE = "mute"
    UNMUTE = "unmute"
    BAN = "ban"
    UNBAN = "unban"
    KICK = "kick"
    SLOW = "slow"
    UNSLOW = "unslow"
    GRANT = "grant"
    REVOKE_ROLE = "revoke_role"


OF_THE_ROOM = frozenset({Action.SLOW, Action.UNSLOW})
"""These have no `uid`."""
LASTING = frozenset({Action.MUTE, Action.BAN, Action.SLOW, Action.GRANT})
"""These may have `for_s`."""


class Moderate(Frame, frozen=True, tag_field="op", tag="moderate"):
    """Moderate a room. `for_s` are seconds, 0 for good; `interval_s` (of `slow`) is the time
    between two chat messages of one user; `role` (of `grant`) is `moderator` or `host`."""

    room: Room
    action: Action
    uid: Uid | None = None
    for_s: Annotated[int, Meta(ge=0, le=MAX_FOR_S)] = 0
    interval_s: Annotated[int, Meta(ge=1, le=MAX_INTERVAL_S)] | None = None
    role: Annotated[str, Meta(pattern=rf"^({MODERATOR}|{HOST})\Z")] | None = None
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARACTERS)] = ""
    mid: MessageId | None = None


class ModerateOk(msgspec.Struct, frozen=True):
    """The `ok` of a `moderate`: where its message stands in the room's urgent stream, and until
    when what it did lasts (Unix milliseconds; 0: for good, or at once over, as a kick is)."""

    room: str
    action: str
    uid: str
    until_ms: int
    epoch: str
    seq: int
    ts: int
    mid: str


class ModerationPush(msgspec.Struct, frozen=True):
    """The fields of a `moderation` push: `by`, who is shown as `name`, did `action` as `by_role` to
    `uid` ("": to the room). `until_ms` in Unix milliseconds, 0 for good; `interval_ms` of `slow`,
    `role` of `grant`."""

    action: Action
    uid: str
    by: str
    name: str
    by_role: str
    until_ms: int
    interval_ms: int
    role: str
    reason: str
    mid: str
    ts: int
    trace: str


class StateBody(msgspec.Struct, frozen=True, array_like=True):
    """Ask for the state of the room named in the request header: up to `limit` entries behind
    `cursor` (from the answer before; empty begins)."""

    cursor: str = ""
    limit: int = MAX_PAGE


class StateEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry. `kind` is `mute`, `ban`, `role` or `slow`; `by` made it, as `by_role`."""

    kind: str
    by: str
    by_role: str
    uid: str = ""
    until_ms: int = 0
    interval_ms: int = 0
    role: str = ""
    reason: str = ""


class ModerationState(msgspec.Struct, frozen=True):
    """What holds in a room now; `cursor` of the next page, empty at the end."""

    room: str
    entries: list[StateEntry]
    cursor: str = ""


def check(asked: Moderate) -> None:
    """Raise `RequestError` that names the field which the action lacks, or which it has none of."""
    if asked.action in OF_THE_ROOM and asked.uid is not None:
        raise _bad("uid", f"{asked.action} is of the room and has none")
    if asked.action not in OF_THE_ROOM and asked.uid is None:
        raise _bad("uid", f"{asked.action} needs one")
    if asked.for_s and asked.action not in LASTING:
        raise _bad("for_s", f"{asked.action} has none")
    _check_only(asked, "interval_s", asked.interval_s, Action.SLOW)
    _check_only(asked, "role", asked.role, Action.GRANT)


def _check_only(asked: Moderate, field: str, value: object, action: Action) -> None:
    if asked.action == action and value is None:
        raise _bad(field, f"{action} needs it")
    if asked.action != action and value is not None:
        raise _bad(field, f"only {action} has it")


def _bad(field: str, reason: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {reason}", field=field)


class Bound(msgspec.Struct, frozen=True, array_like=True):
    """A mute or a ban as nodes keep it: until when (Unix milliseconds, 0: for good), and the rank
    of who made it: it binds only those below."""

    until_ms: int
    rank: int


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What an access node knows of a room's moderation when it opens it: by uid."""

    bans: dict[str, Bound] = {}
    mutes: dict[str, Bound] = {}
    roles: dict[str, tuple[str, int]] = {}
    """The role, and until when (Unix milliseconds, 0: for good)."""


decode_push = msgspec.json.Decoder(ModerationPush).decode
decode_moderate = msgspec.json.Decoder(Moderate).decode
decode_state_body = msgspec.msgpack.Decoder(StateBody).decode
