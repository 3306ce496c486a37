"""Instant messages: sending, recalling, reading, and getting what was missed."""

from typing import Annotated

import msgspec
from msgspec import Meta

from proto.requests.fields import (
    Conversation,
    Frame,
    MessageId,
    PageCursor,
    Sequence,
    Stream,
    Uid,
)

MAX_MESSAGE_CHARACTERS = 4000
MAX_DATA_BYTES = 8192
MAX_MENTIONS = 50
MAX_ATTACHMENTS = 10
MAX_HISTORY_PAGE = 100
MAX_SYNC_PAGE = 200
MAX_SESSIONS_PAGE = 100
MAX_ACK_RANGES = 32


class Attachment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file by reference: it lies where `url` says, and never passes through the cluster."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s]+\Z", max_length=2048)]
    name: Annotated[str, Meta(max_length=255)] = ""
    media_type: Annotated[str, Meta(max_length=127)] = ""
    size_bytes: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""


class Send(Frame, frozen=True, tag_field="op", tag="send"):
    """Say something in a conversation: text, data, attachments, or some of them.

    `mid` is required: the same one again, from the same user to the same conversation, however much
    later, returns the first answer.
    """

    conv: Conversation
    mid: MessageId
    text: Annotated[str, Meta(max_length=MAX_MESSAGE_CHARACTERS)] = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    mentions: Annotated[list[Uid], Meta(max_length=MAX_MENTIONS)] = []
    mention_all: bool = False
    attachments: Annotated[list[Attachment], Meta(max_length=MAX_ATTACHMENTS)] = []
    reply_to: Sequence = 0


class Recall(Frame, frozen=True, tag_field="op", tag="recall"):
    """Take a message back: its body goes, a message of kind `recall` tells everybody."""

    conv: Conversation
    seq: Sequence


class Read(Frame, frozen=True, tag_field="op", tag="read"):
    """Say that everything up to `seq` was read, on whichever device."""

    conv: Conversation
    seq: Sequence


class Typing(Frame, frozen=True, tag_field="op", tag="typing"):
    """Say that the user types, or (`on` false) has stopped. Never stored."""

    conv: Conversation
    on: bool = True


class History(Frame, frozen=True, tag_field="op", tag="history"):
    """Ask for the `limit` messages before `before` (0: the newest), or those after `after`."""

    conv: Conversation
    before: Sequence = 0
    after: Sequence | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_HISTORY_PAGE)] = 50


class Sync(Frame, frozen=True, tag_field="op", tag="sync"):
    """Ask for a page of a stream: what comes after `since`."""

    stream: Stream
    since: Sequence
    limit: Annotated[int, Meta(ge=1, le=MAX_SYNC_PAGE)] = MAX_SYNC_PAGE


class Sessions(Frame, frozen=True, tag_field="op", tag="sessions"):
    """Ask for a page of the session list, the latest activity first."""

    limit: Annotated[int, Meta(ge=1, le=MAX_SESSIONS_PAGE)] = 50
    cursor: PageCursor = ""


class SessionSet(Frame, frozen=True, tag_field="op", tag="session_set"):
    """Mute, pin or hide a conversation; what is not named stays. A hidden one comes back with its
    next message."""

    conv: Conversation
    muted: bool | None = None
    pinned: bool | None = None
    hidden: bool | None = None


class Ack(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag_field="op",
    tag="ack",
):
    """Say that everything of `stream` up to `n` has been taken, and the ranges `also` beyond it.

    The one frame without an `id`: nothing answers it.
    """

    stream: Stream
    n: Sequence
    also: Annotated[list[tuple[Sequence, Sequence]], Meta(max_length=MAX_ACK_RANGES)] = []


MessageRequest = Send | Recall | Read | Typing | History | Sync | Sessions | SessionSet
