"""Instant messaging on SQLite in a fresh file, with virtual time; people and groups by hand."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from sqlalchemy import Connection, insert, select

from backends.database.schema import contacts, groups, members
from logic.node import Logic
from proto.client_requests import OP_OF
from proto.errors import RequestError
from proto.headers import RequestHeader
from proto.services import Method

Ask = Callable[..., Any]


class People:
    """Writes who is whose friend and in which group, as the requests about people do."""

    def __init__(self, database: Any) -> None:
        self._database = database

    async def befriend(self, uid: str, other: str, **fields: Any) -> None:
        """Make them friends; `fields` are those of the row of `uid`."""
        rows = [
            {"uid": uid, "other": other, "state": "friend", "blocked": False, "ts": 1} | fields,
            {"uid": other, "other": uid, "state": "friend", "blocked": False, "ts": 1},
        ]
        await self._database.write(lambda c: c.execute(insert(contacts), rows) and None)

    async def group(self, conv: str, *uids: str, **fields: Any) -> None:
        """Make a group of `uids`, of whom the first owns it."""
        row = {"conv": conv, "name": conv, "owner": uids[0], "created": 1}
        row |= {"member_count": len(uids)} | fields
        await self._database.write(lambda c: c.execute(insert(groups), [row]) and None)
        for uid in uids:
            await self.join(conv, uid, role="owner" if uid == uids[0] else "member")

    async def join(self, conv: str, uid: str, **fields: Any) -> None:
        """Add a row for a member."""
        row = {"conv": conv, "uid": uid, "role": "member", "joined_seq": 1} | fields
        await self._database.write(lambda c: c.execute(insert(members), [row]) and None)


@pytest.fixture
def people(database: Any) -> People:
    return People(database)


@pytest.fixture
async def im(world: Any, nursery: trio.Nursery) -> Logic:
    """A node that answers and feeds the bus, and does nothing by itself: no mailbox is filled."""
    node = world.logic()
    nursery.start_soon(node.im.serve)
    nursery.start_soon(node.outgoing.run)
    await trio.testing.wait_all_tasks_blocked()
    return node


@pytest.fixture
def ask_im(im: Logic) -> Ask:
    """Ask the node what a client asks, as `uid`; returns the `ok`, raises `RequestError`."""

    async def ask(
        uid: str,
        op: str,
        node: Logic = im,
        called: str | None = None,
        role: str = "viewer",
        **fields: Any,
    ) -> Any:
        called = uid.title() if called is None else called
        header = RequestHeader(
            1, "access-1", "i1", Method.IM, 2000, "t1", uid, called, role, "phone"
        )
        assert op in OP_OF.values()
        body = msgspec.json.encode({"id": 1, "op": op} | fields)
        return msgspec.json.decode(await node.dispatch.handle(header, body))

    return ask


@pytest.fixture
def refused(ask_im: Ask) -> Ask:
    """Ask, and return the error's code and field."""

    async def refused(*args: Any, **fields: Any) -> tuple[str, str]:
        with pytest.raises(RequestError) as caught:
            await ask_im(*args, **fields)
        return caught.value.body.code.value, caught.value.body.field

    return refused


@pytest.fixture
def rows(database: Any) -> Ask:
    """Return the rows of a table, as dicts, in the order of its key."""

    async def rows(table: Any, *where: Any) -> list[dict[str, Any]]:
        def read(connection: Connection) -> list[dict[str, Any]]:
            query = select(table).where(*where).order_by(*table.primary_key.columns)
            return [dict(row._mapping) for row in connection.execute(query)]

        return await database.read(read)

    return rows
