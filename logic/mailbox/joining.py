"""Users who join a hot group: their devices begin its stream where the user came in."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from backends.database import hot_groups
from backends.database.diffusing import Stored
from backends.database.schema import devices
from proto.conversations import ConversationKind, kind_of, owner
from proto.im_frames import MessageKind


class _Joined(msgspec.Struct):
    conv: str
    joined: int
    hot: bool = False


_decode = msgspec.json.Decoder(_Joined).decode


def start_cursors(connection: Connection, messages: Iterable[Stored]) -> None:
    """Do it for those of `messages` that tell a user of a hot group that it has joined."""
    for message in messages:
        joined = _joined(message)
        if joined is not None and joined.hot:
            its_devices = devices.c.uid == owner(message.conv)
            hot_groups.start_cursors(connection, joined.conv, joined.joined - 1, its_devices)


def _joined(message: Stored) -> _Joined | None:
    if kind_of(message.conv) is not ConversationKind.SYSTEM:
        return None
    if message.kind != MessageKind.GROUP_JOINED:
        return None
    try:
        return _decode(message.body)
    except (msgspec.MsgspecError, RecursionError):
        # The message goes all the same; the device begins the stream at its end.
        return None
