"""A user's sessions: put into the database as the diffusion would, asked for as a client does."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert

from backends.database import schema
from backends.database.database import Database
from logic.im.service import Asker
from logic.sessions.handlers import handlers
from proto.requests.messages import Sessions, SessionSet

ANN = Asker("ann", "Ann", "viewer", "phone", "t1")
TABLES = (
    schema.sessions,
    schema.conversations,
    schema.messages,
    schema.groups,
    schema.contacts,
)


class People:
    """What Ann's clients see of her sessions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._handlers = handlers(database)

    async def put(self, table: Any, *rows: dict[str, Any]) -> None:
        if rows:
            await self.database.write(lambda c: c.execute(insert(table), list(rows)))

    async def clear(self) -> None:
        await self.database.write(lambda c: [c.execute(delete(table)) for table in TABLES])

    async def session(self, conv: str, last_ts: int, last_seq: int = 1, **more: Any) -> None:
        row = {"uid": "ann", "conv": conv, "last_ts": last_ts, "last_seq": last_seq, **more}
        await self.put(schema.sessions, row)

    async def page(
        self, limit: int = 50, cursor: str = "", asker: Asker = ANN
    ) -> tuple[list[dict[str, Any]], str]:
        asked = Sessions(id=1, limit=limit, cursor=cursor)
        answer = msgspec.json.decode(await self._handlers[Sessions](asker, asked))
        return answer["sessions"], answer["cursor"]

    async def pages(self, limit: int) -> list[dict[str, Any]]:
        """All of the list, a page after the other."""
        found, cursor = await self.page(limit)
        while cursor:
            more, cursor = await self.page(limit, cursor)
            assert more, "a cursor promises something"
            found += more
        return found

    async def mark(self, conv: str, **marks: bool) -> dict[str, Any]:
        asked = SessionSet(id=1, conv=conv, **marks)
        return msgspec.json.decode(await self._handlers[SessionSet](ANN, asked))


def message_row(conv: str, seq: int, **more: Any) -> dict[str, Any]:
    row = {"conv": conv, "seq": seq, "mid_key": f"{conv} {seq}".encode()[-16:], "sender": "bob"}
    row |= {"name": "Bob", "kind": "message", "mid": f"m{seq}", "ts": 1000 + seq, "count": seq}
    return row | {"recalled": False, "body": b'{"text":"hi"}', **more}


@pytest.fixture
def people(database: Database) -> People:
    return People(database)
