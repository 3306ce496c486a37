"""The fields that requests share."""

from typing import Annotated

import msgspec
from msgspec import Meta

from proto.conversations import CONVERSATION_PATTERN, GROUP_PATTERN, STREAM_PATTERN
from proto.ids import MESSAGE_ID_PATTERN, ROOM_PATTERN, UID_PATTERN

MAX_SEQ = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""

RequestId = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
Room = Annotated[str, Meta(pattern=ROOM_PATTERN)]
Uid = Annotated[str, Meta(pattern=UID_PATTERN)]
MessageId = Annotated[str, Meta(pattern=MESSAGE_ID_PATTERN)]
Conversation = Annotated[str, Meta(pattern=CONVERSATION_PATTERN)]
Group = Annotated[str, Meta(pattern=GROUP_PATTERN)]
Stream = Annotated[str, Meta(pattern=STREAM_PATTERN)]
Device = Annotated[str, Meta(pattern=MESSAGE_ID_PATTERN)]
Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
Epoch = Annotated[str, Meta(max_length=32)]
PageCursor = Annotated[str, Meta(max_length=256)]
"""Where a list goes on: opaque, from the answer before; empty begins."""


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every request has: the client's number for it."""

    id: RequestId
