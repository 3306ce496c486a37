"""Engines: how SQLite and PostgreSQL are opened."""

from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

from backends.database.settings import DatabaseSettings

WAL_PAGES = 4000
"""Pages of 4 KiB between two checkpoints: 16 MB, written back in some milliseconds."""


def is_sqlite(settings: DatabaseSettings) -> bool:
    """Say whether the database is a SQLite file."""
    return settings.url.startswith("sqlite:")


def writing(settings: DatabaseSettings) -> Engine:
    """Return the engine whose transactions write; those of SQLite take the lock as they begin."""
    if is_sqlite(settings):
        return _sqlite(settings, size=1, begin="BEGIN IMMEDIATE")
    return _postgresql(settings, settings.writers)


def reading(settings: DatabaseSettings) -> Engine:
    """Return the engine whose transactions only read."""
    if is_sqlite(settings):
        return _sqlite(settings, size=settings.readers, begin="BEGIN")
    return _postgresql(settings, settings.readers)


def _postgresql(settings: DatabaseSettings, size: int) -> Engine:
    url = make_url(settings.url)
    return create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.timeout_s,
        pool_pre_ping=False,
        connect_args={
            "connect_timeout": max(2, round(settings.timeout_s)),
            "options": f"-c lock_timeout={round(settings.timeout_s * 1000)}",
        },
    )


def _sqlite(settings: DatabaseSettings, *, size: int, begin: str) -> Engine:
    engine = create_engine(
        make_url(settings.url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.timeout_s,
        connect_args={"timeout": settings.timeout_s, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        # The driver's own way to begin takes the lock late, and fails where another came between.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={settings.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute("PRAGMA temp_store=MEMORY")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
