"""What back ends send to the gateway: bodies of requests, checked field by field."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec

from proto.errors import ErrorCode, RequestError
from proto.heat import Wish
from proto.ids import MESSAGE_ID_PATTERN, ROOM_PATTERN, UID_PATTERN
from proto.priorities import BY_LABEL

MAX_BODY_BYTES = 64 * 1024
MAX_LIST_BODY_BYTES = 768 * 1024
"""Room for 10,000 uids of 64 characters; one mesh envelope (1 MiB) carries the whole request."""

MAX_UIDS = 10_000

MAX_DATA_BYTES = 32 * 1024
"""Of `data`: in base64, beside 1,000 uids of 64 characters, it fits a RocketMQ body of 128 KiB."""

MAX_PRESENCE_UIDS = 1000
MAX_MESSAGES_PAGE = 200
"""What logic gives of a room's log at once."""
MAX_SEQ = 2**53 - 1

Mid = Annotated[str, msgspec.Meta(pattern=MESSAGE_ID_PATTERN)]
DemoUid = Annotated[str, msgspec.Meta(pattern=r"^demo-[A-Za-z0-9_.:@\-]{1,59}\Z")]
PriorityLabel = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(BY_LABEL)})\\Z")]
WishLabel = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(Wish)})\\Z")]
Uid = Annotated[str, msgspec.Meta(pattern=UID_PATTERN)]
Room = Annotated[str, msgspec.Meta(pattern=ROOM_PATTERN)]
Device = Annotated[str, msgspec.Meta(pattern=MESSAGE_ID_PATTERN)]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to a room or to one user: `data` is any JSON and reaches clients unchanged."""

    data: msgspec.Raw
    priority: PriorityLabel = "normal"
    mid: Mid | None = None


class PublishToUsers(Publish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to a list of users, each named once."""

    uids: Annotated[list[Uid], msgspec.Meta(min_length=1, max_length=MAX_UIDS)]


class Broadcast(Publish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to everybody who is connected, in all regions."""


class HistoryPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of a room's messages of one `priority`: the newest `limit`, or with `after` those that
    follow that number of `epoch`, oldest first."""

    priority: PriorityLabel = "normal"
    after: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    epoch: Annotated[str, msgspec.Meta(max_length=32)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_MESSAGES_PAGE)] = 50


class PresenceOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Users whose presence is asked."""

    uids: Annotated[list[Uid], msgspec.Meta(min_length=1, max_length=MAX_PRESENCE_UIDS)]


class Kick(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose connections are closed: of all devices, or of the `device` that its `hello` named;
    `reason` is told to the client."""

    device: Device | None = None
    reason: Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,100}\Z")] = ""


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


def decode_query(query: Mapping[str, str], kind: type[Body]) -> Body:
    """Return the parameters of a query as a `kind`; raises `RequestError` `bad_frame` and the
    field."""
    try:
        return msgspec.convert(dict(query), kind, strict=False)
    except msgspec.ValidationError as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error), field=_field(str(error))) from None


def checked_data(data: msgspec.Raw) -> bytes:
    """Return `data` as bytes; raises `RequestError` where it is too large."""
    packed = bytes(data)
    if len(packed) > MAX_DATA_BYTES:
        message = f"data has {len(packed)} bytes; at most {MAX_DATA_BYTES} are allowed"
        raise RequestError(ErrorCode.TOO_LARGE, message, field="data")
    return packed


def _field(message: str) -> str:
    """Return the field that a validation error is about; "" when it is the body as a whole."""
    path, named = _PATH.search(message), _FIELD.search(message)
    parts = [path.group(1) if path else "", named.group(1) if named else ""]
    return ".".join(filter(None, parts))
