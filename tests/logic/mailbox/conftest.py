"""Mailboxes on a database and a bus in memory. A test that lets time pass asks for
`autojump_clock` itself: pytest-trio does not see it behind another fixture."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from sqlalchemy import Connection, insert, select, update

from backends.bus.connect import open_bus
from backends.bus.memory import MemoryBroker, MemoryGroup
from backends.bus.settings import BusSettings
from backends.database.appending import Appended, NewMessage, append
from backends.database.database import Database
from backends.database.schema import (
    dead_messages,
    diffusions,
    groups,
    mailbox,
    mailboxes,
    members,
    outbox,
    sessions,
    settings,
)
from logic.mailbox.settings import MailboxSettings
from logic.mailbox.wiring import Mailboxes
from logic.outgoing import Outgoing
from proto.packs import unpack
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from proto.topics import Topic

START_MS = 1_790_000_000_000
EPOCH = "e1"


def now_ms() -> int:
    return START_MS + round(trio.current_time() * 1000)


def said(conv: str, sender: str, text: str, /, *, kind: str = "message", **body: Any) -> NewMessage:
    content = msgspec.json.encode({"text": text} | body)
    return NewMessage(conv, sender, sender.title(), kind, f"{sender}-{text}"[:64], content)


def fence(conv: str, kind: str, number: int) -> NewMessage:
    return NewMessage(conv, "", "", kind, f"{kind}-{number}", b"{}", counted=False)


def event(appended: Appended) -> Record:
    header = RecordHeader(
        id=f"{appended.conv}/{appended.seq}",
        kind="conversation",
        ts_ms=appended.ts_ms,
        trace=f"t{appended.seq}",
        room=appended.conv,
        seq=appended.seq,
    )
    return Record(header, b"")


def make_group(connection: Connection, conv: str, uids: Sequence[str], joined_seq: int = 1) -> None:
    facts = {"name": conv, "owner": uids[0], "member_count": len(uids), "created": START_MS}
    connection.execute(insert(groups).values(conv=conv, **facts))
    rows = [{"conv": conv, "uid": uid, "role": "member", "joined_seq": joined_seq} for uid in uids]
    connection.execute(insert(members), rows)
    connection.execute(insert(sessions), [{"conv": conv, "uid": uid} for uid in uids])


class World:
    """A database, a bus, and instances of mailboxes over them."""

    def __init__(self, database: Database, broker: MemoryBroker, bus: Any) -> None:
        self.database = database
        self.broker = broker
        self.bus = bus
        self.outgoing = Outgoing(bus, 100_000)
        self.committed: list[Appended] = []

    def mailboxes(self, database: Any = None, **settings: Any) -> Mailboxes:
        return Mailboxes(
            MailboxSettings(**{"gather_s": 0.0} | settings),
            self.bus,
            database or self.database,
            self.outgoing,
            committed=lambda appended, trace: self.committed.extend(appended),
            now_ms=now_ms,
        )

    async def append(self, *new: NewMessage) -> list[Appended]:
        return await self.database.write(lambda connection: append(connection, new, now_ms()))

    async def publish(self, appended: Sequence[Appended]) -> None:
        await self.bus.publish(Topic.CONVERSATIONS, [event(each) for each in appended])

    async def say(self, *new: NewMessage) -> list[Appended]:
        """Append, tell the bus, and let everything happen."""
        appended = await self.append(*new)
        await self.publish(appended)
        await self.quiet()
        return appended

    async def group(self, conv: str, uids: Sequence[str], joined_seq: int = 1) -> None:
        await self.database.write(lambda c: make_group(c, conv, uids, joined_seq))

    async def quiet(self) -> None:
        await trio.testing.wait_all_tasks_blocked(0.001)

    async def run(self, work: Any) -> Any:
        return await self.database.write(work)

    async def rows(self, table: Any, **where: Any) -> list[Any]:
        conditions = [table.c[name] == value for name, value in where.items()]
        query = select(table).where(*conditions).order_by(*table.primary_key.columns)
        return await self.database.read(lambda c: c.execute(query).all())

    async def mailbox(self, uid: str) -> list[tuple[int, str, int]]:
        return [(row.n, row.conv, row.seq) for row in await self.rows(mailbox, uid=uid)]

    async def check(self) -> None:
        """Numbers have no gaps, messages come in order and once, and the heads say so."""
        heads = {row.uid: row.head for row in await self.rows(mailboxes)}
        for uid, head in heads.items():
            held = await self.mailbox(uid)
            assert [n for n, _, _ in held] == list(range(1, head + 1))
            for conv in {conv for _, conv, _ in held}:
                seqs = [seq for _, its_conv, seq in held if its_conv == conv]
                assert seqs == sorted(set(seqs))

    async def outbox(self) -> list[tuple[str, int]]:
        return [(row.conv, row.seq) for row in await self.rows(outbox)]

    async def dead(self) -> list[tuple[str, int]]:
        return [(row.conv, row.seq) for row in await self.rows(dead_messages)]

    async def cursor(self, conv: str) -> int:
        (row,) = await self.rows(diffusions, conv=conv)
        return int(row.seq)

    def sent(self) -> list[Record]:
        """What was handed to the bus for routers."""
        return list(self.outgoing.ordinary[Priority.NORMAL].queue._records)

    def on_bus(self, topic: Topic) -> list[Record]:
        bodies = self.broker.topic(f"relaymesh-{topic}").packs.values()
        return [record for body in bodies for record in unpack(body)]


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    broker = MemoryBroker()
    values = update(settings).values(value=EPOCH)
    await database.write(lambda connection: connection.execute(values))
    async with open_bus(BusSettings(kind="memory", publish_timeout_s=1.0), broker) as bus:
        broker.topic(f"relaymesh-{Topic.NORMAL}").groups["test"] = MemoryGroup(0)
        yield World(database, broker, bus)


@pytest.fixture
async def running(world: World, nursery: trio.Nursery) -> Mailboxes:
    """Mailboxes at work."""
    found = world.mailboxes()
    nursery.start_soon(found.run)
    nursery.start_soon(found.serve)
    await world.quiet()
    return found
