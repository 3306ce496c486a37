"""Users who ask about contacts and groups, over a database; they speak JSON."""

import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update

from backends.database.appending import Appended
from backends.database.database import Database
from backends.database.schema import contacts, diffusions, groups, members, messages, sessions
from logic.contacts.service import ContactsService
from logic.contacts.settings import ContactSettings
from logic.groups.service import GroupsService
from logic.groups.settings import GroupSettings
from logic.im.service import Asker
from logic.sessions.handlers import handlers as sessions_handlers
from proto.client_requests import parse_im
from proto.conversations import system
from proto.errors import ErrorBody, RequestError

START_MS = 1_790_000_000_000


class People:
    """Asks as any user; `committed` is what the bus would be told."""

    def __init__(self, database: Database, *, max_friends: int = 50, max_members: int = 50) -> None:
        self.database = database
        self.now_ms = START_MS
        self.committed: list[Appended] = []
        bits = random.Random(5).getrandbits
        time: Any = {"now_ms": lambda: self.now_ms, "random_bits": bits}
        self._handlers = (
            ContactsService(
                database, self._take, ContactSettings(max_friends=max_friends), **time
            ).handlers()
            | GroupsService(
                database, self._take, GroupSettings(max_members=max_members), **time
            ).handlers()
        )
        self._handlers |= sessions_handlers(database)

    async def ask(self, who: str, op: str, *, token_role: str = "viewer", **fields: Any) -> Any:
        """Return the `ok`; raises `RequestError`."""
        request = parse_im(msgspec.json.encode({"id": 1, "op": op, **fields}))
        asker = Asker(who, who.title(), token_role, "phone", "t1")
        return msgspec.json.decode(await self._handlers[type(request)](asker, request))

    async def refused(self, who: str, op: str, **fields: Any) -> ErrorBody:
        """Return the error that the request is refused with; nothing may have been committed."""
        before = len(self.committed)
        with pytest.raises(RequestError) as caught:
            await self.ask(who, op, **fields)
        assert len(self.committed) == before
        return caught.value.body

    async def befriend(self, uid: str, *others: str) -> None:
        """Make friends as if they had been for long."""
        rows = [
            {"uid": one, "other": two, "state": "friend", "ts": 0}
            for other in others
            for one, two in ((uid, other), (other, uid))
        ]
        await self.database.write(lambda c: c.execute(insert(contacts), rows))

    async def told(self, conv: str, after: int = 0) -> list[tuple[str, str, Any]]:
        """Return the messages of `conv` after one as (kind, sender, body)."""
        m = messages.c
        query = select(m.kind, m.sender, m.body).where(m.conv == conv, m.seq > after)
        rows = await self.database.read(lambda c: c.execute(query.order_by(m.seq)).all())
        return [(kind, sender, msgspec.json.decode(body)) for kind, sender, body in rows]

    async def told_user(self, uid: str, after: int = 0) -> list[tuple[str, str, Any]]:
        """Return what the cluster has told a user."""
        return await self.told(system(uid), after)

    async def row(self, table: Any, **keys: Any) -> Any:
        """Return the one row with these keys, or `None`."""
        query = select(table).filter_by(**keys)
        return await self.database.read(lambda c: c.execute(query).one_or_none())

    async def session(self, uid: str, conv: str) -> Any:
        return await self.row(sessions, uid=uid, conv=conv)

    async def member(self, uid: str, conv: str) -> Any:
        return await self.row(members, uid=uid, conv=conv)

    async def group(self, conv: str) -> Any:
        return await self.row(groups, conv=conv)

    async def present(self, conv: str) -> dict[str, str]:
        """Return the role of each member, as the table has them."""
        query = select(members.c.uid, members.c.role).filter_by(conv=conv, left_seq=0)
        rows = await self.database.read(lambda c: c.execute(query).all())
        return {uid: role for uid, role in rows}  # noqa: C416 - rows are no pairs to mypy

    async def diffuse(self, conv: str, seq: int) -> None:
        """Do what the diffusion does about members when messages up to `seq` are in mailboxes."""
        m = members.c
        gone = delete(members).where(m.conv == conv, m.left_seq > 0, m.left_seq <= seq)
        moved = update(diffusions).filter_by(conv=conv).values(seq=seq)
        await self.database.write(lambda c: [c.execute(each) for each in (moved, gone)])

    def _take(self, appended: Any, trace: str) -> None:
        assert trace == "t1"
        assert appended
        self.committed.extend(appended)
