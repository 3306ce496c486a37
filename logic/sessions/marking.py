"""The op `session_set`: a session is muted, pinned or hidden."""

import msgspec
from sqlalchemy import Connection

from backends.database.database import Database
from backends.database.session_list import change, make_for_friends, marks
from logic.im.service import Asker
from proto.conversations import ConversationKind, is_conversation, kind_of, may_hold, peer
from proto.errors import ErrorCode, RequestError
from proto.requests.messages import SessionSet
from proto.server_frames import encode_json


class Marks(msgspec.Struct, frozen=True):
    """The answer: how the session is marked now."""

    conv: str
    muted: bool
    pinned: bool
    hidden: bool


class MarkHandler:
    """Answers `session_set`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, asker: Asker, asked: SessionSet) -> bytes:
        """Return the `Marks`; raises `RequestError` or `StoreUnavailableError`."""
        _check(asker.uid, asked)
        found = await self._database.write(lambda connection: _mark(connection, asker.uid, asked))
        if found is None:
            raise RequestError(ErrorCode.NOT_MEMBER)
        return encode_json(found)


def _check(uid: str, asked: SessionSet) -> None:
    if asked.muted is None and asked.pinned is None and asked.hidden is None:
        raise RequestError(
            ErrorCode.BAD_FRAME, "muted: expected muted, pinned or hidden, got none", field="muted"
        )
    if not is_conversation(asked.conv):
        raise RequestError(
            ErrorCode.BAD_FRAME, "conv: must have its two users in byte order", field="conv"
        )
    if not may_hold(asked.conv, uid):
        raise RequestError(ErrorCode.NOT_MEMBER)


def _mark(connection: Connection, uid: str, asked: SessionSet) -> Marks | None:
    if not _change(connection, uid, asked):
        if kind_of(asked.conv) is not ConversationKind.DIRECT:
            return None
        make_for_friends(connection, uid, asked.conv, peer(asked.conv, uid))
        if not _change(connection, uid, asked):
            return None
    found = marks(connection, uid, asked.conv)
    return Marks(asked.conv, found.muted, found.pinned, bool(found.hidden))


def _change(connection: Connection, uid: str, asked: SessionSet) -> bool:
    named = {"muted": asked.muted, "pinned": asked.pinned}
    changes = {name: value for name, value in named.items() if value is not None}
    return change(connection, uid, asked.conv, changes, hidden=asked.hidden)
