"""`relaymesh database` as an operator uses it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backends.database.migrations import LATEST
from ops.commands.database import command
from tests.conftest import run_sql

Ask = Callable[[str], Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/im.db"


@pytest.fixture
def ask(url: str) -> Ask:
    return lambda what: CliRunner().invoke(command, [what, "--set", f"logic.database.url={url}"])


def test_a_file_that_is_not_there_is_not_made_by_looking(ask: Ask, tmp_path: Path) -> None:
    for what in ("status", "new-epoch"):
        done = ask(what)
        assert done.exit_code == 1
        assert f"there is no database at {tmp_path}/im.db" in done.output
    assert list(tmp_path.iterdir()) == []


def test_an_empty_database_is_migrated(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "im.db").touch()
    before = ask("status")
    assert (before.exit_code, before.output) == (
        1,
        f"version none, wanted {LATEST}: run `relaymesh database migrate`\n",
    )
    assert ask("migrate").output == f"was empty; version {LATEST}, as wanted\n"
    assert ask("migrate").output == f"was {LATEST}; version {LATEST}, as wanted\n"
    after = ask("status")
    assert (after.exit_code, after.output) == (0, f"version {LATEST}, as wanted\n")


def test_a_newer_database_is_left_alone(ask: Ask, url: str) -> None:
    ask("migrate")
    run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    assert ask("status").output == f"version 9999, wanted {LATEST}: install a newer relaymesh\n"
    refused = ask("migrate")
    assert refused.exit_code == 1
    assert f"version 9999, which is newer than {LATEST}" in str(refused.exception)


def test_a_new_epoch_is_another_one(ask: Ask) -> None:
    ask("migrate")
    first, second = ask("new-epoch").output, ask("new-epoch").output
    assert first.startswith("epoch ")
    assert first != second


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no-folder/im.db"
    done = CliRunner().invoke(command, ["status", "--set", f"logic.database.url={url}"])
    assert (done.exit_code, done.output) == (
        1,
        "Error: the database: unable to open database file\n",
    )


def test_the_config_of_a_logic_node_says_which(tmp_path: Path, url: str) -> None:
    file = tmp_path / "logic.toml"
    file.write_text(f'[logic.database]\nurl = "{url}"\n')
    done = CliRunner().invoke(command, ["migrate", "--config", str(file)])
    assert done.output == f"was empty; version {LATEST}, as wanted\n"
    assert (tmp_path / "im.db").exists()
