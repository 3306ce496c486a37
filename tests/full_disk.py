"""A database whose disk is full, of either kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection

from backends.database.database import Database


@asynccontextmanager
async def full_disk(database: Database) -> AsyncIterator[None]:
    """Let the database find no more room, until the block ends.

    A SQLite file still takes what fits into the pages that it has: write some kilobytes.
    """
    fill, free = (_fill, _free) if database.is_sqlite else (_refuse, _take)
    await database.write(fill)
    try:
        yield
    finally:
        await database.write(free)


def _fill(connection: Connection) -> None:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def _free(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA max_page_count={1 << 30}")


def _refuse(connection: Connection) -> None:
    """Say what PostgreSQL says when it can't make a table's file longer."""
    raising = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
    function = f"CREATE OR REPLACE FUNCTION no_room() RETURNS trigger AS $${raising}$$"
    connection.exec_driver_sql(f"{function} LANGUAGE plpgsql")
    trigger = "CREATE TRIGGER no_room BEFORE INSERT ON outbox EXECUTE FUNCTION no_room()"
    connection.exec_driver_sql(trigger)


def _take(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TRIGGER no_room ON outbox")
