"""What back ends send to the gateway: bodies of requests, checked field by field."""

import re
from typing import Annotated, TypeVar

import msgspec

from proto.errors import ErrorCode, RequestError
from proto.heat import Wish
from proto.ids import MESSAGE_ID_PATTERN, ROOM_PATTERN, UID_PATTERN, is_room
from proto.priorities import BY_LABEL

MAX_BODY_BYTES = 64 * 1024
MAX_LIST_BODY_BYTES = 768 * 1024
"""Room for 10,000 uids of 64 characters; one mesh envelope (1 MiB) carries the whole request."""

MAX_UIDS = 10_000

MAX_DATA_BYTES = 32 * 1024
"""Of `data`: in base64, beside 1,000 uids of 64 characters, it fits a RocketMQ body of 128 KiB."""

Mid = Annotated[str, msgspec.Meta(pattern=MESSAGE_ID_PATTERN)]
DemoUid = Annotated[str, msgspec.Meta(pattern=r"^demo-[A-Za-z0-9_.:@\-]{1,59}\Z")]
PriorityLabel = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(BY_LABEL)})\\Z")]
WishLabel = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(Wish)})\\Z")]
Uid = Annotated[str, msgspec.Meta(pattern=UID_PATTERN)]
Room = Annotated[str, msgspec.Meta(pattern=ROOM_PATTERN)]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to a room or to one user: `data` is any JSON and reaches clients unchanged."""

    data: msgspec.Raw
    priority: PriorityLabel = "normal"
    mid: Mid | None = None


class PublishToUsers(Publish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to a list of users, each named once."""

    uids: Annotated[list[Uid], msgspec.Meta(min_length=1, max_length=MAX_UIDS)]


class WishBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator wants of a room: `hot`, `cool` or `auto`."""

    wish: WishLabel


class DemoToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom the demo page's visitor wants to be. Without a `uid` it is somebody new; with one it is
    who came under that uid before: there are no passwords in a demo, and no uids but a demo's."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    room: Room = "lobby"
    host: bool = False
    uid: DemoUid | None = None


Body = TypeVar("Body", bound=msgspec.Struct)

_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"field `([^`]+)`")


def decode(raw: bytes, kind: type[Body]) -> Body:
    """Return `raw` as a `kind`; raises `RequestError` `bad_json`, or `bad_frame` and the field."""
    try:
        # msgspec does not look into what it hands on unread (`data`): text is checked as a whole.
        return msgspec.json.decode(raw.decode(), type=kind)
    except msgspec.ValidationError as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error), field=_field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(ErrorCode.BAD_JSON, f"The body is not JSON: {error}") from None
    except RecursionError:
        raise RequestError(ErrorCode.BAD_JSON, "The body is nested too deeply.") from None


def checked_data(data: msgspec.Raw) -> bytes:
    """Return `data` as bytes; raises `RequestError` where it is too large."""
    packed = bytes(data)
    if len(packed) > MAX_DATA_BYTES:
        message = f"data has {len(packed)} bytes; at most {MAX_DATA_BYTES} are allowed"
        raise RequestError(ErrorCode.TOO_LARGE, message, field="data")
    return packed


def checked_room(room: str) -> str:
    """Return `room`; raises `RequestError` where it can be none."""
    if not is_room(room):
        message = "Name a room: 1 to 64 of the characters A-Z a-z 0-9 _ . : -"
        raise RequestError(ErrorCode.BAD_FRAME, message, field="room")
    return room


def _field(message: str) -> str:
    """Return the field that a validation error is about; "" when it is the body as a whole."""
    path, named = _PATH.search(message), _FIELD.search(message)
    parts = [path.group(1) if path else "", named.group(1) if named else ""]
    return ".".join(filter(None, parts))
