import json
from typing import Any

import pytest
from click.testing import CliRunner

from bench.sessions import command


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(command, [*arguments, "--json"])
    assert done.output.startswith("{"), done.output
    return json.loads(done.output)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_pages_are_measured_while_messages_arrive(database: str) -> None:
    found = run("--sessions", "120", "--hot", "10", "--pages", "20", "--database", database)
    assert (found["sessions"], found["hot"], found["pages"]) == (120, 10, 20)
    assert found["database"] == database
    assert found["written_per_s"] > 0
    measured = ("p50_ms", "p99_ms", "next_p50_ms", "next_p99_ms", "bare_p50_ms", "bare_p99_ms")
    assert all(found[name] > 0 for name in measured)


def test_more_hot_groups_than_sessions_are_refused() -> None:
    done = CliRunner().invoke(command, ["--sessions", "20", "--hot", "21"])
    assert done.exit_code == 2
    assert "--hot: expected at most --sessions (20), got 21" in done.output
