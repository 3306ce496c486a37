"""How far devices have their streams, as access nodes report it."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from backends.database import device_rows
from backends.database.database import Database
from proto.conversations import MAILBOX, hot_group
from proto.headers import RequestHeader
from proto.im_services import Cursor, decode_cursors

CURSORS_AT_ONCE = 1000
"""Of one transaction: about as much work as filling mailboxes does in one."""


class CursorsHandler:
    """Serves `Method.CURSORS`."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Keep the cursors; raises `StoreUnavailableError`."""
        cursors, now_ms = decode_cursors(body).cursors, self._now_ms()
        for start in range(0, len(cursors), CURSORS_AT_ONCE):
            some = cursors[start : start + CURSORS_AT_ONCE]
            await self._database.write(partial(keep, cursors=some, now_ms=now_ms))
        return b""


def keep(connection: Connection, cursors: Sequence[Cursor], now_ms: int) -> None:
    """Move cursors forward, never beyond the end of their stream, and note that devices live."""
    mailboxes: dict[tuple[str, str], tuple[int, int]] = {}
    hot: dict[tuple[str, str, str], int] = {}
    for each in cursors:
        n, conv = (each.n if each.stream == MAILBOX else 0), hot_group(each.stream)
        before, _ = mailboxes.get((each.uid, each.device), (0, 0))
        mailboxes[each.uid, each.device] = (max(before, n), now_ms)
        if conv is not None:
            key = (each.uid, each.device, conv)
            hot[key] = max(hot.get(key, 0), each.n)
    device_rows.move_cursors(connection, mailboxes)
    device_rows.move_hot_cursors(connection, hot)
