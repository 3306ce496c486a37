"""The database on trio: work is a function of a connection, done in a thread in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import structlog
import trio
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backends.database import engine
from backends.database.settings import DatabaseSettings
from backends.errors import StoreRefusedError, StoreUnavailableError

T = TypeVar("T")
Work = Callable[[Connection], T]
RunSync = Callable[..., Awaitable[Any]]
"""`trio.to_thread.run_sync`, or what does the same without a thread: a mock clock jumps while a
thread works."""

ATTEMPTS = 4
"""Of a transaction that another one was in the way of (a deadlock, a lock that came too late)."""
_RETRYABLE_STATES = frozenset(("40001", "40P01", "55P03"))
"""PostgreSQL: serialization failure, deadlock, lock not available."""
log = structlog.get_logger()


class Database:
    """Runs work in transactions, so many at a time as the database takes, in the order of coming.

    What the work returns is the answer, given after the commit. Work may be run again, from the
    start, when another transaction was in its way; it changes nothing but the database.
    """

    def __init__(
        self, settings: DatabaseSettings, run_sync: RunSync = trio.to_thread.run_sync
    ) -> None:
        self._run_sync = run_sync
        self.is_sqlite = engine.is_sqlite(settings)
        self._writing = engine.writing(settings)
        self._reading = engine.reading(settings)
        writers = 1 if self.is_sqlite else settings.writers
        self._writers = trio.CapacityLimiter(writers)
        self._readers = trio.CapacityLimiter(settings.readers)
        self.writes = 0
        self.reads = 0
        self.failures = 0

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and commit it.

        Raises `StoreUnavailableError` when it is not known to be kept: the database is away, full,
        or busy for too long; `StoreRefusedError` for what it will never take.
        """
        self.writes += 1
        return await self._run(self._writing, self._writers, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, in a transaction; raises as `write`."""
        self.reads += 1
        return await self._run(self._reading, self._readers, work)

    def close(self) -> None:
        """Close all connections."""
        self._writing.dispose()
        self._reading.dispose()

    async def _run(self, where: Engine, limiter: trio.CapacityLimiter, work: Work[T]) -> T:
        try:
            # A thread that works for nobody any more still ends its transaction by itself.
            done: T = await self._run_sync(partial(_in_transaction, where, work), limiter=limiter)
            return done
        except SQLAlchemyError as error:
            self.failures += 1
            log.warning("database_failed", reason=reason_of(error))
            raise _told(error) from error


def _in_transaction(where: Engine, work: Work[T]) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with where.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if attempt == ATTEMPTS or not _in_the_way(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def _in_the_way(error: DBAPIError) -> bool:
    return (
        getattr(error.orig, "sqlstate", None) in _RETRYABLE_STATES or error.connection_invalidated
    )


def _told(error: SQLAlchemyError) -> StoreUnavailableError:
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    wrong = type(error).__name__ in ("IntegrityError", "DataError", "ProgrammingError")
    if wrong and not state.startswith(("08", "53", "57")):
        return StoreRefusedError(reason_of(error))
    return StoreUnavailableError(reason_of(error))


def reason_of(error: SQLAlchemyError) -> str:
    """Return what the database said, in a line, without the statement and its values."""
    said = str(getattr(error, "orig", None) or error)
    return said.strip().splitlines()[0][:300] if said.strip() else type(error).__name__


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Give a database until the block ends; one that is away is no error here."""
    database = Database(settings)
    try:
        yield database
    finally:
        database.close()
