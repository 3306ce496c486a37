"""What a client sends: one JSON object a message, told apart by `op` (docs/protocol.md)."""

import re
from collections.abc import Callable
from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from proto.errors import ErrorCode, RequestError
from proto.ids import MESSAGE_ID_PATTERN
from proto.moderation import Moderate
from proto.requests.contacts import ContactRequest
from proto.requests.devices import DeviceRequest, Watch
from proto.requests.fields import (
    Device,
    Epoch,
    Frame,
    Group,
    MessageId,
    RequestId,
    Room,
    Sequence,
)
from proto.requests.groups import GroupRequest
from proto.requests.messages import Ack, MessageRequest

SUBPROTOCOL = "relaymesh.v1.json"
"""The WebSocket subprotocol that a client must offer."""

MAX_TEXT_CHARACTERS = 2000
MAX_LIKES_PER_FRAME = 1000
MAX_GIFT_VALUE = 1_000_000
MAX_ROOMS_PER_HELLO = 20
MAX_HOT_PER_HELLO = 200
MAX_HISTORY = 100
MAX_FETCH = 200

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
PriorityLabel = Annotated[str, Meta(pattern=r"^(urgent|normal|bulk)\Z")]


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last message that a client has of one stream."""

    epoch: Epoch
    seq: Sequence


class JoinSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A room to join. `since` resumes: what came after each position is sent again. `history`
    instead asks for the newest messages of the urgent and normal streams."""

    room: Room
    since: dict[PriorityLabel, Position] = {}
    history: Annotated[int, Meta(ge=0, le=MAX_HISTORY)] = 0


class ImSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The device that takes instant messages, and how far it has them: `since` of the mailbox in
    its `epoch`, and of hot groups by their ids. Without `since` the cluster's own cursor counts."""

    device: Device
    epoch: Epoch = ""
    since: Sequence | None = None
    hot: Annotated[dict[Group, Sequence], Meta(max_length=MAX_HOT_PER_HELLO)] = {}


class Hello(Frame, frozen=True, tag_field="op", tag="hello"):
    """The first frame: who the client is, and rooms to join at once. `resume` is the one-use token
    of the `move` that brought it here."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)]
    client: Annotated[str, Meta(max_length=64)] = ""
    join: Annotated[list[JoinSpec], Meta(max_length=MAX_ROOMS_PER_HELLO)] = []
    im: ImSpec | None = None
    resume: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class Refresh(Frame, frozen=True, tag_field="op", tag="refresh"):
    """Go on with another token of the same user."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)]


class Join(Frame, frozen=True, tag_field="op", tag="join"):
    """Join a room (see `JoinSpec`)."""

    room: Room
    since: dict[PriorityLabel, Position] = {}
    history: Annotated[int, Meta(ge=0, le=MAX_HISTORY)] = 0


class Leave(Frame, frozen=True, tag_field="op", tag="leave"):
    """Leave a room."""

    room: Room


class Chat(Frame, frozen=True, tag_field="op", tag="chat"):
    """Say something in a room: normal."""

    room: Room
    text: Text
    mid: MessageId | None = None


class Speech(Frame, frozen=True, tag_field="op", tag="speech"):
    """Host speech: urgent, and only for a host of the room."""

    room: Room
    text: Text
    mid: MessageId | None = None


class Gift(Frame, frozen=True, tag_field="op", tag="gift"):
    """Give a gift: urgent from a configured value (of one gift times `count`) on, else normal.
    `receipt` proves that it was paid for: see `proto.receipts`."""

    room: Room
    gift: Annotated[str, Meta(pattern=MESSAGE_ID_PATTERN)]
    value: Annotated[int, Meta(ge=0, le=MAX_GIFT_VALUE)]
    count: Annotated[int, Meta(ge=1, le=MAX_LIKES_PER_FRAME)] = 1
    text: Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)] = ""
    receipt: Annotated[str, Meta(max_length=4096)] = ""
    mid: MessageId | None = None


class Like(Frame, frozen=True, tag_field="op", tag="like"):
    """Like a room `count` times."""

    room: Room
    count: Annotated[int, Meta(ge=1, le=MAX_LIKES_PER_FRAME)] = 1


class Fetch(Frame, frozen=True, tag_field="op", tag="fetch"):
    """Ask for `from`..`to` of a stream again, at most `MAX_FETCH` messages."""

    room: Room
    priority: PriorityLabel
    epoch: Epoch
    first_seq: Sequence = msgspec.field(name="from")
    last_seq: Sequence = msgspec.field(name="to")


class Ping(Frame, frozen=True, tag_field="op", tag="ping"):
    """Is anybody there?"""


RoomRequest = Join | Leave | Chat | Speech | Gift | Like | Fetch | Moderate
ImRequest = MessageRequest | ContactRequest | GroupRequest | DeviceRequest
"""What passes through an access node unread: logic answers it."""
Request = Hello | Refresh | Ping | Watch | Ack | RoomRequest | ImRequest
Publish = Chat | Speech | Gift
"""What becomes a message of the room."""

OP_OF: dict[type[Request], str] = {
    request: str(request.__struct_config__.tag) for request in get_args(Request)
}
OPS = frozenset(OP_OF.values())

_decode: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
IM_REQUESTS = get_args(ImRequest)

_decode_publish: Callable[[bytes], Publish] = msgspec.json.Decoder(Publish).decode
_decode_im: Callable[[bytes], ImRequest] = msgspec.json.Decoder(ImRequest).decode


class _Outline(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")
    op: msgspec.Raw = msgspec.Raw(b"null")


_decode_outline = msgspec.json.Decoder(_Outline).decode
_PATH = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`$")
_QUOTED = re.compile(r"field `([^`]*)`")


def parse(message: bytes) -> Request:
    """Return the request in `message` (UTF-8 JSON); raises `RequestError` that names the field."""
    try:
        return _decode(message)
    except msgspec.ValidationError as error:
        raise _explained(message, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(ErrorCode.BAD_JSON, f"not a JSON object: {error}") from None


def parse_publish(message: bytes) -> Publish:
    """Return the chat, speech or gift in `message`, as logic reads it; raises `RequestError`."""
    try:
        return _decode_publish(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error)) from None


def parse_im(message: bytes) -> ImRequest:
    """Return the request about messages, contacts, groups or devices; raises `RequestError`."""
    try:
        return _decode_im(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error)) from None


def request_id(message: bytes) -> int | None:
    """Return the `id` of a frame that may be bad otherwise, so that its error finds its way."""
    try:
        return msgspec.json.decode(_decode_outline(message).id, type=RequestId)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _explained(message: bytes, error: msgspec.ValidationError) -> RequestError:
    text = str(error)
    op = _op(message)
    if not message.lstrip().startswith(b"{"):
        return RequestError(ErrorCode.BAD_JSON, "the message must be one JSON object")
    if op is not None and op not in OPS:
        return RequestError(
            ErrorCode.UNKNOWN_OP, f"op: must be one of {', '.join(sorted(OPS))}", field="op"
        )
    path = _PATH.search(text)
    field = path.group(1) if path else ""
    named = _QUOTED.search(text)
    if named:
        field = f"{field}.{named.group(1)}" if field else named.group(1)
    reason = _PATH.sub("", text)
    return RequestError(ErrorCode.BAD_FRAME, f"{field or 'frame'}: {reason}", field=field)


def _op(message: bytes) -> str | None:
    try:
        return msgspec.json.decode(_decode_outline(message).op, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
