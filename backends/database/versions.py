"""Which version the tables have, and how they come to the one that this code works with."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import structlog
import trio
from sqlalchemy import Connection, column, inspect, select, table, text

from backends.database.database import Database
from backends.database.migrations import LATEST
from backends.errors import StoreRefusedError, StoreUnavailableError

if TYPE_CHECKING:
    from alembic.config import Config

RETRY_S = 1.0
_LOCK_KEY = 0x72656C61796D6573
"""Of PostgreSQL's advisory lock, in this database: "relaymes" in ASCII."""
_FOLDER = Path(__file__).with_name("migrations")
_version = table("alembic_version", column("version_num"))
_alembic = Lock()
"""Alembic keeps what it works on in its modules: one migration at a time in a process."""
log = structlog.get_logger()


class WrongVersionError(ValueError):
    """The tables are not of the version that this code works with; the message is one line."""


class Standing(NamedTuple):
    """The version that the tables have ("": none yet), and the one that is wanted."""

    found: str
    wanted: str = LATEST

    @property
    def is_level(self) -> bool:
        """Whether they are the same."""
        return self.found == self.wanted

    @property
    def is_known(self) -> bool:
        """Whether this code has steps that lead on from there."""
        # Versions count up, and all have four digits.
        return self.found <= self.wanted


def standing(connection: Connection) -> Standing:
    """Return where the tables stand."""
    if not inspect(connection).has_table(_version.name):
        return Standing("")
    return Standing(connection.scalar(select(_version.c.version_num)) or "")


def migrate(connection: Connection) -> Standing:
    """Bring the tables to the wanted version, all steps or none, and return where they stood.

    Work for `Database.write`; another instance that does the same waits until the transaction ends.
    Raises `WrongVersionError` for tables of a version that this code does not know.
    """
    _lock(connection)
    before = standing(connection)
    if not before.is_known:
        raise WrongVersionError(_newer(before))
    if not before.is_level:
        _upgrade(connection)
    return before


async def prepare(database: Database, *, may_migrate: bool) -> None:
    """Return when the tables are of the wanted version; a database that is away is waited for.

    Raises `WrongVersionError` when they are not and may not, or can't, be brought there, and
    `StoreRefusedError` when a step fails.
    """
    work: Callable[[Connection], Standing] = migrate if may_migrate else _require_level
    while True:
        try:
            # First without a lock: all but one start in a lifetime find nothing to do.
            if not (await database.read(standing)).is_level:
                before = await database.write(work)
                log.info("database_prepared", found=before.found, now=LATEST)
            return
        except StoreRefusedError:
            raise
        except StoreUnavailableError as error:
            log.warning("database_awaited", reason=str(error))
        await trio.sleep(RETRY_S)


def _require_level(connection: Connection) -> Standing:
    found = standing(connection)
    if not found.is_known:
        raise WrongVersionError(_newer(found))
    if not found.is_level:
        raise WrongVersionError(
            f"the database has version {found.found or 'none'}, and {LATEST} is wanted: run "
            "`relaymesh database migrate`, or set logic.database.migrate"
        )
    return found


def _newer(found: Standing) -> str:
    return (
        f"the database has version {found.found}, which is newer than {found.wanted}, the latest "
        "that this relaymesh knows: install the newer relaymesh"
    )


def _lock(connection: Connection) -> None:
    # SQLite's transactions that write are alone from their beginning.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _upgrade(connection: Connection) -> None:
    # Loaded here: it takes a quarter of a second, and most starts have nothing to migrate.
    from alembic.command import upgrade

    with _alembic:
        upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> "Config":
    """Return Alembic's configuration, with the connection that it is to work on."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
