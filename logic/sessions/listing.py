"""The op `sessions`: a page of the list."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from backends.database.database import Database
from backends.database.epoch import read_epoch
from backends.database.session_list import Position, page
from logic.im.service import Asker
from logic.sessions.cursor import opened, sealed
from proto.conversations import kind_of
from proto.im_frames import message
from proto.requests.messages import Sessions
from proto.server_frames import encode_json

_KINDS = {"d": "direct", "g": "group", "s": "system"}


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry: a conversation as its user sees it. `name` is a group's."""

    conv: str
    kind: str
    last_seq: int
    last_ts: int
    unread: int
    read_seq: int
    peer_read_seq: int
    muted: bool
    pinned: bool
    hot: bool
    left: bool
    last: msgspec.Raw | None
    name: str = ""


class SessionsPage(msgspec.Struct, frozen=True):
    """The answer: `cursor` asks for what follows, and is empty at the end of the list."""

    sessions: list[Session]
    cursor: str


class ListHandler:
    """Answers `sessions` from one query, that is, from one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, asker: Asker, asked: Sessions) -> bytes:
        """Return a `SessionsPage`; raises `RequestError` (`bad_cursor`) or
        `StoreUnavailableError`."""
        found = await self._database.read(lambda connection: _read(connection, asker.uid, asked))
        return encode_json(found)


def _read(connection: Connection, uid: str, asked: Sessions) -> SessionsPage:
    epoch = read_epoch(connection)
    # One more than asked for tells whether anything follows.
    rows = page(connection, uid, opened(asked.cursor, uid, epoch), asked.limit + 1)
    listed = [_session(row) for row in rows[: asked.limit]]
    if len(rows) <= asked.limit:
        return SessionsPage(listed, "")
    last = rows[asked.limit - 1]
    return SessionsPage(listed, sealed(Position(last.pinned, last.last_ts, last.conv), uid, epoch))


def _session(row: Any) -> Session:
    return Session(
        conv=row.conv,
        kind=_KINDS[kind_of(row.conv)],
        last_seq=row.last_seq,
        last_ts=row.last_ts,
        unread=max(0, row.last_count - row.read_count),
        read_seq=row.read_seq,
        peer_read_seq=row.peer_read_seq,
        muted=row.muted,
        pinned=row.pinned,
        hot=bool(row.hot),
        left=row.left or bool(row.group_dissolved),
        last=_last(row),
        name=row.group_name or "",
    )


def _last(row: Any) -> msgspec.Raw | None:
    if row.message_seq is None:
        return None
    return msgspec.Raw(
        message(
            row.conv,
            row.message_seq,
            kind=row.message_kind,
            uid=row.message_sender,
            name=row.message_name,
            ts_ms=row.message_ts,
            mid=row.message_mid,
            body=bytes(row.message_body),
            recalled=row.message_recalled,
        )
    )
