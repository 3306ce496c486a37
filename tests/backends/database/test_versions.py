"""The steps lead to the tables of `schema.py`, whoever takes them, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select, text

from backends.database import engine
from backends.database.database import Database
from backends.database.migrations import LATEST
from backends.database.schema import metadata, settings
from backends.database.settings import DatabaseSettings
from backends.database.versions import (
    Standing,
    WrongVersionError,
    alembic_config,
    migrate,
    prepare,
    standing,
)
from tests.conftest import run_inline, run_sql


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server = request.getfixturevalue("postgresql_server")
    run_sql(server.url(), "CREATE DATABASE empty TEMPLATE template0")
    yield server.url("empty")
    run_sql(server.url(), "DROP DATABASE empty WITH (FORCE)")


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    found = engine.writing(DatabaseSettings(url=empty_url))
    yield found
    found.dispose()


@pytest.fixture
def unmade(empty_url: str) -> Iterator[Database]:
    found = Database(DatabaseSettings(url=empty_url), run_inline)
    yield found
    found.close()


def test_the_steps_make_the_tables_of_the_schema(empty: Engine) -> None:
    with empty.begin() as connection:
        migrate(connection)
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": metadata}
        )
        missing = render_python_code(produce_migrations(context, metadata).upgrade_ops)
        assert compare_metadata(context, metadata) == [], f"a step is missing:\n{missing}"
        stepped = described(connection)
    with empty.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert described(connection) == stepped


def described(connection: Connection) -> dict[str, Any]:
    """Return what Alembic does not compare: SQLite's statements, PostgreSQL's collations."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {name: "".join(sql.split()) for name, sql in rows if not name.startswith("alembic")}
    query = (
        "SELECT table_name || '.' || column_name, data_type || coalesce(collation_name, '') ||"
        " coalesce(character_maximum_length, 0) FROM information_schema.columns WHERE"
        " table_schema = 'public' AND table_name <> 'alembic_version'"
    )
    return dict(connection.execute(text(query)).all())


def test_latest_is_the_last_step(empty: Engine) -> None:
    with empty.connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_heads() == [LATEST]


def test_the_second_time_nothing_is_done(empty: Engine) -> None:
    with empty.begin() as connection:
        assert migrate(connection) == Standing("", LATEST)
        epoch = connection.scalar(select(settings.c.value).where(settings.c.name == "epoch"))
        assert migrate(connection) == Standing(LATEST, LATEST)
        kept = connection.scalar(select(settings.c.value).where(settings.c.name == "epoch"))
    assert epoch == kept
    assert len(str(epoch)) == 16


def test_a_migration_that_breaks_leaves_nothing(empty: Engine) -> None:
    class CrashedError(Exception):
        pass

    with pytest.raises(CrashedError), empty.begin() as connection:
        migrate(connection)
        raise CrashedError
    with empty.connect() as connection:
        assert standing(connection) == Standing("")


MIGRATE = """
import sys, trio
from backends.database.database import Database
from backends.database.settings import DatabaseSettings
from backends.database.versions import prepare

async def main():
    await prepare(Database(DatabaseSettings(url=sys.argv[1])), may_migrate=True)

trio.run(main)
"""


def test_instances_that_start_at_once_migrate_once(empty_url: str, empty: Engine) -> None:
    command = [sys.executable, "-c", MIGRATE, empty_url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    with empty.connect() as connection:
        assert standing(connection).is_level
        assert len(connection.execute(select(settings)).all()) == 1


async def test_who_may_not_migrate_refuses_an_older_version(unmade: Database) -> None:
    with pytest.raises(WrongVersionError, match=r"version none.*relaymesh database migrate"):
        await prepare(unmade, may_migrate=False)
    await unmade.write(migrate)
    await prepare(unmade, may_migrate=False)


@pytest.mark.parametrize("may_migrate", [True, False])
async def test_nobody_works_on_a_newer_version(unmade: Database, may_migrate: bool) -> None:
    await unmade.write(migrate)
    await unmade.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(WrongVersionError, match=r"9999, which is newer"):
        await prepare(unmade, may_migrate=may_migrate)


async def test_a_database_that_is_away_is_waited_for(tmp_path: Path, autojump_clock: Any) -> None:
    folder = tmp_path / "not-yet"
    database = Database(DatabaseSettings(url=f"sqlite:///{folder}/im.db"), run_inline)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: prepare(database, may_migrate=True))
        await trio.sleep(10)
        folder.mkdir()
    assert (await database.read(standing)).is_level
    database.close()
