"""The copies of a hot room are counted, not only computed."""

import json

import pytest
from click.testing import CliRunner

from bench.ways import command, measure, table


@pytest.mark.cluster_long
async def test_dedicated_nodes_and_their_relays_get_one_copy_each() -> None:
    result = await measure(nodes=8, dedicated=2, relays=2, messages=20, body_bytes=50)
    assert result["ok"], result
    assert result["routed"] == 20
    assert result["ordinary"]["sent"]["copies"] == 20 * (1 + 8)
    assert result["hot"]["sent"]["copies"] == 20 * (result["listening"] + 2)
    assert result["hot_undedicated"]["sent"]["copies"] == 20 * (2 + 8)
    assert "hot_undedicated" in table(result)


@pytest.mark.cluster_long
def test_the_command_prints_one_json_object() -> None:
    run = CliRunner().invoke(command, ["--nodes", "4", "--dedicated", "1", "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["hot"]["copies_per_message"] == 2


def test_more_dedicated_nodes_than_there_are_is_refused() -> None:
    run = CliRunner().invoke(command, ["--nodes", "4", "--dedicated", "5"])
    assert run.exit_code == 2
    assert "at most --nodes, 4, got 5" in run.output
