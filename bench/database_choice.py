"""The database under a measurement: `--database`, a SQLite file or a PostgreSQL of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from backends.database.postgresql_server import (
    NoPostgresqlError,
    PostgresqlServer,
    running_postgresql,
)

F = TypeVar("F", bound=Callable[..., Any])


def database_option(command: F) -> F:
    """Give `command` the option, as `database`."""
    choice = click.Choice(["sqlite", "postgresql"])
    text = "PostgreSQL is started for the run: its programs must be there."
    return click.option("--database", type=choice, default="sqlite", show_default=True, help=text)(
        command
    )


@contextmanager
def chosen_database(database: str) -> Iterator[PostgresqlServer | None]:
    """Give the PostgreSQL server that was asked for, which ends with the block, or `None`.

    Raises `ClickException` where there is no PostgreSQL.
    """
    if database == "sqlite":
        yield None
        return
    try:
        with running_postgresql() as server:
            yield server
    except NoPostgresqlError as error:
        raise click.ClickException(str(error)) from None


def up_options(server: PostgresqlServer | None) -> list[str]:
    """Return what `relaymesh up` is to be given for that database."""
    return ["--database-url", server.url()] if server else []
