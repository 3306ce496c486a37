"""`history`: pages of a conversation, of what the asker may see: a back end all of a group."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select

from backends.database.database import Database
from backends.database.diffusing import Stored
from backends.database.schema import conversations, messages
from backends.database.standings import read_standings
from backends.database.streams import MESSAGE
from logic.im.said import bad, check_holds
from logic.im.service import Asker
from logic.mailbox.frames import frame_of
from proto.conversations import ConversationKind, kind_of
from proto.errors import ErrorCode, RequestError
from proto.requests.messages import History
from proto.server_frames import encode_json

MAX_PAGE_BYTES = 256 * 1024
"""A page ends with the message that goes beyond it: the answer has to fit into an envelope."""


class HistoryOk(msgspec.Struct, frozen=True):
    """A page, by ascending numbers; `oldest` and `head` are the first and the last message that the
    asker may see (`head` below `oldest`: there is none)."""

    conv: str
    oldest: int
    head: int
    frames: list[msgspec.Raw]


class Seen(NamedTuple):
    """The messages that one may see: `oldest` to `head`, both included."""

    oldest: int
    head: int


class HistoryHandler:
    """Serves `history`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, asker: Asker, history: History) -> bytes:
        """Return the JSON of `HistoryOk`; raises `RequestError` or `StoreUnavailableError`."""
        check_holds(history.conv, asker.uid)
        if history.before and history.after is not None:
            raise bad("after", "either `before` or `after` says where the page lies")
        return encode_json(await self._database.read(lambda c: page(c, asker, history)))


def page(connection: Connection, asker: Asker, history: History) -> HistoryOk:
    """Return the page that `history` asks for; raises `RequestError`."""
    seen = _seen(connection, history.conv, asker)
    if max(history.before - 1, history.after or 0) > seen.head:
        raise RequestError(
            ErrorCode.BAD_CURSOR, f"the conversation ends with {seen.head} for this user"
        )
    frames = _frames(connection, history, seen)
    return HistoryOk(history.conv, seen.oldest, seen.head, frames)


def _seen(connection: Connection, conv: str, asker: Asker) -> Seen:
    end = select(conversations.c.last_seq).where(conversations.c.conv == conv)
    head = connection.execute(end).scalar() or 0
    if kind_of(conv) is not ConversationKind.GROUP:
        return Seen(1, head)
    member = read_standings(connection, [(conv, asker.uid)]).members.get((conv, asker.uid))
    if member is None and asker.is_back_end and head:
        return Seen(1, head)
    if member is None:
        raise RequestError(ErrorCode.NOT_MEMBER)
    return Seen(member.joined_seq, member.left_seq or head)


def _frames(connection: Connection, history: History, seen: Seen) -> list[msgspec.Raw]:
    m = messages.c
    query = select(*MESSAGE).where(m.conv == history.conv).limit(history.limit)
    if history.after is not None:
        first = max(seen.oldest, history.after + 1)
        query = query.where(m.seq.between(first, seen.head)).order_by(m.seq)
        return _bounded(connection.execute(query))
    last = min(seen.head, history.before - 1) if history.before else seen.head
    query = query.where(m.seq.between(seen.oldest, last)).order_by(m.seq.desc())
    return _bounded(connection.execute(query))[::-1]


def _bounded(rows: Iterable[Row[Any]]) -> list[msgspec.Raw]:
    frames, size = [], 0
    for row in rows:
        frame = frame_of(Stored._make(row))
        frames.append(msgspec.Raw(frame))
        size += len(frame)
        if size > MAX_PAGE_BYTES:
            break
    return frames
