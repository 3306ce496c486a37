"""An instance ends between any two steps, and events come twice, out of order or never."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, insert, select

from backends.database.appending import NewMessage, append
from backends.database.database import Database
from backends.database.schema import mailbox, mailboxes, messages, metadata, outbox
from backends.database.schema import settings as facts
from backends.database.settings import DatabaseSettings
from backends.errors import StoreUnavailableError
from logic.mailbox.bounds import Bounds
from logic.mailbox.diffusion import diffuse
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct
from tests.logic.mailbox.conftest import START_MS, World, make_group, said

CHATS = [direct("ann", "bob"), direct("ann", "cid")]
GROUPS = {"g:one": ["ann", "bob", "cid"], "g:two": ["bob", "cid", "dan"]}
CONVS = [*CHATS, *GROUPS]
RECIPIENTS = {CHATS[0]: ["ann", "bob"], CHATS[1]: ["ann", "cid"], **GROUPS}
SMALL = Bounds(each=3, messages=7, rows=6)
SOME = st.lists(st.sampled_from(CONVS), min_size=1, max_size=4, unique=True)


class KilledError(Exception):
    """The process ends here."""


@contextmanager
def fresh() -> Iterator[Engine]:
    """A database in memory, with everything that the tests need."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        prepare(connection)
    yield engine
    engine.dispose()


def prepare(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(insert(facts).values(name="epoch", value="e1"))
    for conv, uids in GROUPS.items():
        make_group(connection, conv, uids)


def killed_at(connection: Connection, statement: int) -> None:
    """Let the connection's transaction end in its n-th statement from now."""
    left = [statement]

    @event.listens_for(connection, "before_cursor_execute")
    def _count(*_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError


def one_pass(engine: Engine, convs: Sequence[str], kill_at: int | None) -> bool:
    """Diffuse in one transaction; returns whether it was killed."""
    try:
        with engine.begin() as connection:
            if kill_at is not None:
                killed_at(connection, kill_at)
            diffuse(connection, convs, SMALL, 0)
    except KilledError:
        return True
    return False


def append_to(engine: Engine, new: list[NewMessage]) -> None:
    with engine.begin() as connection:
        append(connection, new, START_MS)


def check(connection: Connection) -> None:
    """Every recipient has each message once, in the conversation's order, without gaps."""
    said_by_conv = Counter(connection.execute(select(messages.c.conv)).scalars())
    held: dict[str, list[Any]] = {}
    for row in connection.execute(select(mailbox).order_by(mailbox.c.uid, mailbox.c.n)):
        held.setdefault(row.uid, []).append(row)
    for uid in {uid for uids in RECIPIENTS.values() for uid in uids}:
        rows = held.get(uid, [])
        assert [row.n for row in rows] == list(range(1, len(rows) + 1))
        for conv in (conv for conv in CONVS if uid in RECIPIENTS[conv]):
            its = [row.seq for row in rows if row.conv == conv]
            assert its == list(range(1, said_by_conv[conv] + 1))
    heads = {row.uid: row.head for row in connection.execute(select(mailboxes))}
    assert heads == {uid: len(rows) for uid, rows in held.items()}
    assert connection.execute(select(outbox)).first() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(CONVS), st.integers(1, 5)),
        st.tuples(st.just("events"), SOME, st.none() | st.integers(0, 14)),
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(STEPS)
def test_whatever_is_killed_each_recipient_gets_each_message_once_and_in_order(
    steps: list[Any],
) -> None:
    with fresh() as engine:
        number = 0
        for kind, what, how in steps:
            if kind == "events":
                one_pass(engine, what, how)
                continue
            append_to(engine, [said(what, "ann", f"{number + n}") for n in range(how)])
            number += how
        for _ in range(number + 1):
            one_pass(engine, CONVS, None)
        with engine.begin() as connection:
            check(connection)


def test_it_is_all_or_nothing_at_every_statement() -> None:
    with fresh() as engine:
        append_to(engine, [said(conv, "ann", f"{n}") for conv in CONVS for n in range(2)])
        killed = 0
        while one_pass(engine, CONVS, killed):
            with engine.begin() as connection:
                assert connection.execute(select(mailbox)).first() is None
            killed += 1
        assert killed > 8
        for _ in range(8):
            one_pass(engine, CONVS, None)
        with engine.begin() as connection:
            check(connection)


class Dying:
    """A database of an instance that ends after, or before, its n-th commit."""

    def __init__(self, inner: Database, after: int) -> None:
        self._inner = inner
        self._left = after
        self.is_sqlite = True

    async def write(self, work: Any) -> Any:
        done = await self._inner.write(work)
        self._left -= 1
        if self._left < 0:
            await trio.sleep_forever()
        return done

    async def read(self, work: Any) -> Any:
        return await self._inner.read(work)


async def test_an_instance_that_dies_after_the_commit_leaves_nothing_undone(
    world: World, nursery: trio.Nursery
) -> None:
    async with trio.open_nursery() as first:
        first.start_soon(world.mailboxes(Dying(world.database, 0)).consumer.run)
        await world.quiet()
        await world.say(said(CHATS[0], "ann", "one"))
        first.cancel_scope.cancel()
    assert world.sent() == [], "the commit is there, and nobody was told"

    nursery.start_soon(world.mailboxes().consumer.run)
    await world.quiet()
    await world.say(said(CHATS[0], "ann", "two"))
    assert await world.mailbox("bob") == [(1, CHATS[0], 1), (2, CHATS[0], 2)]
    assert [record.header.id for record in world.sent()] == [f"{CHATS[0]}/2/0"]


async def test_two_instances_share_the_work(world: World, nursery: trio.Nursery) -> None:
    both = [world.mailboxes(), world.mailboxes()]
    for each in both:
        nursery.start_soon(each.consumer.run)
    await world.quiet()
    for number in range(20):
        await world.say(*(said(conv, "ann", f"{number}") for conv in CHATS))
    await world.check()
    assert sum(each.counters.rows for each in both) == 80
    assert len(await world.mailbox("ann")) == 40


def test_two_instances_in_threads_on_one_database(tmp_path: Path) -> None:
    where = DatabaseSettings(url=f"sqlite:///{tmp_path}/im.db", synchronous="NORMAL")

    async def instance(database: Database, rounds: int) -> None:
        for _ in range(rounds):
            await database.write(lambda connection: diffuse(connection, CONVS, SMALL, 0))

    async def speaker(database: Database) -> None:
        for number in range(30):
            new = [said(conv, "ann", f"{number}") for conv in CONVS]
            await database.write(functools.partial(append, new=new, now_ms=START_MS))

    async def main() -> None:
        databases = [Database(where) for _ in range(3)]
        await databases[0].write(prepare)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speaker, databases[0])
            nursery.start_soon(instance, databases[1], 60)
            nursery.start_soon(instance, databases[2], 60)
        await instance(databases[1], 120)
        await databases[0].read(check)
        for database in databases:
            database.close()

    trio.run(main)


@pytest.mark.parametrize("away_for", [1, 4])
async def test_a_database_that_is_away_is_waited_for(
    world: World, nursery: trio.Nursery, autojump_clock: object, away_for: int
) -> None:
    boxes: Mailboxes = world.mailboxes(Away(world.database, away_for))
    nursery.start_soon(boxes.consumer.run)
    await world.quiet()
    await world.say(said(CHATS[0], "ann", "one"), said("g:none", "ann", "two"))
    await trio.sleep(10)
    assert await world.mailbox("bob") == [(1, CHATS[0], 1)]
    assert await world.dead() == []
    assert boxes.consumer.waiting == 0


class Away(Dying):
    """A database that is away for its first transactions."""

    async def write(self, work: Any) -> Any:
        self._left -= 1
        if self._left >= 0:
            raise StoreUnavailableError("away")
        return await self._inner.write(work)
