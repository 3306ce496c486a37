"""`relaymesh database migrate|status|new-epoch`: the tables of the database, for operators."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from backends.database import engine
from backends.database.database import Work, reason_of
from backends.database.epoch import renew_epoch
from backends.database.settings import DatabaseSettings
from backends.database.versions import Standing, migrate, standing
from ops.config.load import given
from ops.errors import Failure

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_config = click.option(
    "--config", "file", type=click.Path(path_type=Path), help="Config file of a logic node."
)
_set = click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="Overrides.")


def _where(command: F) -> F:
    return _config(_set(command))


@click.group("database")
def command() -> None:
    """Look after the tables of the database.

    Which database: `logic.database.url` of --config FILE, of the environment
    (RELAYMESH_LOGIC__DATABASE__URL) or of --set, as for a logic node.
    """


@command.command("status")
@_where
def status(file: Path | None, flags: tuple[str, ...]) -> None:
    """Show the tables' version, and exit 1 unless it is the one that this relaymesh wants."""
    found = _ask_there(file, flags, standing)
    click.echo(_line(found))
    if not found.is_level:
        click.get_current_context().exit(1)


@command.command("migrate")
@_where
def bring_up(file: Path | None, flags: tuple[str, ...]) -> None:
    """Bring the tables to the version that this relaymesh wants: all steps, or none."""
    before = _ask(file, flags, migrate)
    click.echo(f"was {before.found or 'empty'}; {_line(Standing(before.wanted))}")


@command.command("new-epoch")
@_where
def new_epoch(file: Path | None, flags: tuple[str, ...]) -> None:
    """Name the numbering of mailboxes anew: after a restore from a backup, before nodes start.

    Clients are then told to begin from the session list, instead of taking new messages for old
    ones that had the same numbers.
    """
    click.echo(f"epoch {_ask_there(file, flags, renew_epoch)}")


def _line(found: Standing) -> str:
    if found.is_level:
        return f"version {found.found}, as wanted"
    hint = "run `relaymesh database migrate`" if found.is_known else "install a newer relaymesh"
    return f"version {found.found or 'none'}, wanted {found.wanted}: {hint}"


def _ask_there(file: Path | None, flags: tuple[str, ...], work: Work[T]) -> T:
    """As `_ask`, for a database that is there: SQLite makes a file of any name that it is told."""
    settings = _settings(file, flags)
    path = Path(settings.url.removeprefix("sqlite:///"))
    if engine.is_sqlite(settings) and path.parent.is_dir() and not path.exists():
        raise Failure(f"there is no database at {path}: `relaymesh database migrate` makes it")
    return _ask(file, flags, work)


def _ask(file: Path | None, flags: tuple[str, ...], work: Work[T]) -> T:
    where = engine.writing(_settings(file, flags))
    try:
        with where.begin() as connection:
            return work(connection)
    except SQLAlchemyError as error:
        raise Failure(f"the database: {reason_of(error)}") from None
    finally:
        where.dispose()


def _settings(file: Path | None, flags: tuple[str, ...]) -> DatabaseSettings:
    table = given("logic", file, os.environ, flags).get("logic", {}).get("database", {})
    return msgspec.convert(table, DatabaseSettings)
