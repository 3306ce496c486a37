"""What the database itself takes: the same table, filled by one thread with nothing between."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, insert, text

from backends.database import engine
from backends.database.schema import messages, metadata
from backends.database.settings import DatabaseSettings

BODY_BYTES = 300
ROWS_PER_TRANSACTION = 500
SECONDS = 3.0
SCHEMA = "relaymesh_bench"


def rows_per_s(url: str) -> float:
    """Return how many rows of `messages` a second go into a database of the kind of `url`.

    A SQLite file of its own beside the cluster's; on PostgreSQL a schema of its own, dropped
    afterwards. Blocks: call it in a thread.
    """
    with _scratch(url) as writing:
        metadata.create_all(writing)
        rows, began = 0, time.monotonic()
        while (passed_s := time.monotonic() - began) < SECONDS:
            with writing.begin() as connection:
                connection.execute(insert(messages), _rows(rows))
            rows += ROWS_PER_TRANSACTION
    return rows / passed_s


def _rows(first: int) -> list[dict[str, object]]:
    body = b"x" * BODY_BYTES
    return [
        {
            "conv": f"d:user-{number % 997}|user-{number % 991}",
            "seq": number,
            "mid_key": os.urandom(16),
            "sender": f"user-{number % 997}",
            "name": "somebody",
            "kind": "message",
            "mid": f"{number:x}",
            "ts": 1_790_000_000_000 + number,
            "count": number,
            "recalled": False,
            "body": body,
        }
        for number in range(first, first + ROWS_PER_TRANSACTION)
    ]


@contextmanager
def _scratch(url: str) -> Iterator[Engine]:
    if url.startswith("sqlite:"):
        with tempfile.TemporaryDirectory(prefix="relaymesh-") as folder:
            yield engine.writing(DatabaseSettings(url=f"sqlite:///{folder}/limit.db"))
        return
    whole = engine.writing(DatabaseSettings(url=url))
    _run(whole, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", f"CREATE SCHEMA {SCHEMA}")
    try:
        yield whole.execution_options(schema_translate_map={None: SCHEMA})
    finally:
        _run(whole, f"DROP SCHEMA {SCHEMA} CASCADE")
        whole.dispose()


def _run(where: Engine, *statements: str) -> None:
    with where.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
