"""What a message says: the body of a `send`, checked. Pure."""

import msgspec

from proto.conversations import ConversationKind, is_conversation, kind_of, may_hold
from proto.errors import ErrorCode, RequestError
from proto.requests.messages import MAX_DATA_BYTES, Attachment, Send
from proto.server_frames import encode_json


class _Body(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    mentions: list[str] = []
    mention_all: bool = False
    attachments: list[Attachment] = []
    reply_to: int = 0


def body_of(send: Send) -> bytes:
    """Return the body, a JSON object; raises `RequestError` `bad_frame` that names the field."""
    data = bytes(send.data)
    if not (send.text or data or send.attachments):
        raise bad("text", "a message needs text, data or an attachment")
    if data:
        _check_data(data)
    return encode_json(
        _Body(
            send.text,
            send.data if data else msgspec.UNSET,
            send.mentions,
            send.mention_all,
            send.attachments,
            send.reply_to,
        )
    )


def speaks_as_the_cluster(conv: str, *, back_end: bool) -> bool:
    """Say whether who asks is above what `conv` permits: a back end, except in a chat of two."""
    return back_end and is_conversation(conv) and kind_of(conv) is not ConversationKind.DIRECT


def check_sayable(conv: str, uid: str) -> None:
    """Raise `RequestError` where the id alone tells that `uid` may not say anything there."""
    check_holds(conv, uid)
    if kind_of(conv) is ConversationKind.SYSTEM:
        raise RequestError(
            ErrorCode.FORBIDDEN,
            "conv: only the cluster and back ends speak in a system conversation",
        )


def check_holds(conv: str, uid: str) -> None:
    """Raise `RequestError` where the id alone tells that `uid` is not in `conv`."""
    if not is_conversation(conv):
        raise bad("conv", "the uids of a chat stand in byte order")
    if not may_hold(conv, uid):
        raise RequestError(ErrorCode.NOT_MEMBER)


def bad(field: str, reason: str) -> RequestError:
    """Return the error for a field of the request."""
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {reason}", field=field)


def _check_data(data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise bad("data", f"at most {MAX_DATA_BYTES} bytes of JSON, not {len(data)}")
    if not data.lstrip().startswith(b"{"):
        raise bad("data", "must be a JSON object")
