"""Serves `Method.WATCHABLE`: whose presence somebody may be told."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backends.database.contacts import friends_among
from backends.database.database import Database
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_uid
from proto.im_services import WatchableAnswer, Watcher, decode_watchable
from proto.services import encode

MAX_UIDS = 10_000
"""Users of one question, of all watchers together."""


class WatchableHandler:
    """Permits oneself, and friends while neither has blocked the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Return a `WatchableAnswer`; raises `RequestError`, or `StoreUnavailableError` for a
        database that is away."""
        watchers = decode_watchable(body).watchers
        _check(watchers)
        return encode(WatchableAnswer(await self._database.read(lambda c: _permitted(c, watchers))))


def _permitted(connection: Connection, watchers: Sequence[Watcher]) -> list[list[str]]:
    return [_of(connection, each) for each in watchers]


def _of(connection: Connection, watcher: Watcher) -> list[str]:
    others = set(watcher.uids) - {watcher.uid}
    friends = friends_among(connection, watcher.uid, others) if others else set()
    return [uid for uid in watcher.uids if uid in friends or uid == watcher.uid]


def _check(watchers: Sequence[Watcher]) -> None:
    uids = [uid for each in watchers for uid in (each.uid, *each.uids)]
    if len(uids) > MAX_UIDS or not all(map(is_uid, uids)):
        raise RequestError(
            ErrorCode.BAD_FRAME, f"watchers: at most {MAX_UIDS} user ids in all", field="watchers"
        )
