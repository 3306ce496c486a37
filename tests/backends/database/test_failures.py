"""A database that is full, locked or gone: told as unavailable, nothing half done, then back."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import trio
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url

from backends.database.appending import Appended, NewMessage, append
from backends.database.database import Database
from backends.database.group_commit import GroupCommit
from backends.database.postgresql_server import FAST, PostgresqlServer, running_postgresql
from backends.database.schema import messages, outbox
from backends.database.settings import DatabaseSettings
from backends.errors import StoreRefusedError, StoreUnavailableError
from tests.conftest import make_tables, run_inline
from tests.full_disk import full_disk

NOW_MS = 1_790_000_000_000


def put(mid: str, text: str = "hello") -> Callable[[Connection], list[Appended]]:
    said = NewMessage("d:ann|bob", "ann", "Ann", "message", mid, text.encode())
    return lambda connection: append(connection, [said], NOW_MS)


def kept(connection: Connection) -> tuple[int, int]:
    """How many messages there are, and how many that wait to be diffused."""
    tables = (messages, outbox)
    found = [connection.scalar(select(func.count()).select_from(table)) for table in tables]
    return found[0] or 0, found[1] or 0


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    settings = DatabaseSettings(url=database_url, timeout_s=0.1, synchronous="NORMAL")
    with closing(Database(settings, run_inline)) as database:
        yield database


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Somebody else is in the middle of a transaction that holds what a write needs."""
    if url.startswith("sqlite:"):
        path = make_url(url).database
        with closing(sqlite3.connect(str(path), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    other = create_engine(url)
    with other.connect() as connection:
        connection.execute(text("SELECT * FROM conversations FOR UPDATE"))
        yield
    other.dispose()


async def test_a_database_locked_for_too_long(impatient: Database, database_url: str) -> None:
    await impatient.write(put("1"))
    with locked(database_url):
        with pytest.raises(StoreUnavailableError, match=r"lock"):
            await impatient.write(put("2"))
        assert await impatient.read(kept) == (1, 1)  # Reading goes on.
    await impatient.write(put("2"))
    assert await impatient.read(kept) == (2, 2)


async def test_nothing_is_acknowledged_that_a_full_disk_did_not_take(database: Database) -> None:
    commit = GroupCommit[int, int](
        database,
        lambda c, new: [put(str(number), "x" * 2000)(c)[0].seq for number in new],
        most=5,
    )
    acked: list[int] = []
    refused: list[int] = []

    async def send(number: int) -> None:
        try:
            acked.append(await commit.do(number))
        except StoreUnavailableError as error:
            assert not isinstance(error, StoreRefusedError)
            refused.append(number)

    async with trio.open_nursery() as committing:
        committing.start_soon(commit.run)
        async with trio.open_nursery() as sending:
            for number in range(10):
                sending.start_soon(send, number)
        async with full_disk(database):
            async with trio.open_nursery() as sending:
                for number in range(10, 60):
                    sending.start_soon(send, number)
            assert refused
            assert await database.read(kept) == (len(acked), len(acked))
        async with trio.open_nursery() as sending:
            for number in refused:
                sending.start_soon(send, number)
        committing.cancel_scope.cancel()
    assert sorted(acked) == list(range(1, 61))
    assert await database.read(kept) == (60, 60)


@pytest.fixture
def mortal_postgresql() -> Iterator[PostgresqlServer]:
    """A server of this test's own, with all tables, that may be killed."""
    # What a process has written outlives it without fsync.
    with running_postgresql(FAST | {"synchronous_commit": "on"}) as server:
        make_tables(server.url())
        yield server


@pytest.mark.postgresql
async def test_a_server_that_is_gone_and_comes_back(mortal_postgresql: PostgresqlServer) -> None:
    server = mortal_postgresql
    with closing(Database(DatabaseSettings(url=server.url()), run_inline)) as database:
        await database.write(put("1"))
        server.kill()
        for way, work in [(database.write, put("2")), (database.read, kept)] * 2:
            with pytest.raises(StoreUnavailableError):
                await way(work)
        server.start()
        assert await database.read(kept) == (1, 1)
        await database.write(put("2"))
        assert await database.read(kept) == (2, 2)


@pytest.mark.postgresql
async def test_a_restart_between_two_transactions_is_not_noticed(
    mortal_postgresql: PostgresqlServer,
) -> None:
    server = mortal_postgresql
    with closing(Database(DatabaseSettings(url=server.url()), run_inline)) as database:
        await database.write(put("1"))
        await database.read(kept)
        server.kill()
        server.start()
        await database.write(put("2"))
        assert await database.read(kept) == (2, 2)


@pytest.mark.postgresql
async def test_a_kill_inside_a_transaction_undoes_it(mortal_postgresql: PostgresqlServer) -> None:
    server = mortal_postgresql
    kills = iter([server.kill])

    def killed(connection: Connection) -> Any:
        found = put("1")(connection)
        for kill in kills:
            kill()
        return found

    with closing(Database(DatabaseSettings(url=server.url()), run_inline)) as database:
        with pytest.raises(StoreUnavailableError):
            await database.write(killed)
        server.start()
        assert await database.read(kept) == (0, 0)
        await database.write(put("1"))
        assert await database.read(kept) == (1, 1)


async def test_a_sqlite_file_whose_folder_is_gone(tmp_path: Any) -> None:
    settings = DatabaseSettings(url=f"sqlite:///{tmp_path}/gone/im.db")
    database = Database(settings, run_inline)
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        await database.read(kept)
    database.close()


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://a:secret:b:c/x", "postgresql+psycopg://h:port/secret"]
)
def test_a_url_that_is_none_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"logic\.database\.url: is not a URL") as refused:
        Database(DatabaseSettings(url=url))
    assert "secret" not in str(refused.value)


@pytest.mark.postgresql
async def test_a_server_that_reads_only_is_left_for_the_one_that_took_over(
    mortal_postgresql: PostgresqlServer,
) -> None:
    settings = DatabaseSettings(url=mortal_postgresql.url())
    with closing(Database(settings, run_inline)) as database:
        await database.write(lambda c: c.exec_driver_sql("SET default_transaction_read_only = on"))
        # The next connection is to a server that writes.
        await database.write(put("1"))
        assert await database.read(kept) == (1, 1)
