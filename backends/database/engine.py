"""Engines: how SQLite and PostgreSQL are opened."""

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

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


def _url(settings: DatabaseSettings) -> URL:
    try:
        return make_url(settings.url)
    except (ArgumentError, ValueError):
        # Not what it says: it may repeat a password.
        raise ValueError("logic.database.url: is not a URL of a database") from None


def _postgresql(settings: DatabaseSettings, size: int) -> Engine:
    if find_spec("psycopg") is None:
        raise ValueError(
            "logic.database.url: PostgreSQL needs psycopg: pip install 'relaymesh[postgresql]'"
        )
    engine = create_engine(
        _url(settings),
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.timeout_s,
        pool_pre_ping=False,
        connect_args={
            "connect_timeout": max(2, round(settings.timeout_s)),
            "options": f"-c lock_timeout={round(settings.timeout_s * 1000)}",
            **_noticing(settings.timeout_s),
        },
    )

    @event.listens_for(engine, "handle_error")
    def _stale(context: Any) -> None:
        # A server that another has taken over from reads only: what is connected to it is of no
        # use, though it lives.
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True

    return engine


_READ_ONLY = "25006"


def _noticing(timeout_s: float) -> dict[str, int]:
    """Return what lets a connection notice within about `timeout_s` that its host is gone."""
    return {
        "tcp_user_timeout": round(timeout_s * 1000),
        "keepalives_idle": max(1, round(timeout_s / 2)),
        "keepalives_interval": max(1, round(timeout_s / 4)),
        "keepalives_count": 2,
    }


def _sqlite(settings: DatabaseSettings, *, size: int, begin: str) -> Engine:
    engine = create_engine(
        _url(settings),
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
