import json

import pytest
from click.testing import CliRunner

from bench.copies import command, measure, table


@pytest.mark.cluster_long
async def test_what_is_sent_is_what_was_planned_and_everybody_is_told_once() -> None:
    result = await measure(nodes=16, relays=2, routers=2, body_bytes=100, seed=3, sizes=(2, 2500))
    assert result["ok"], result
    few, many = result["rows"]

    assert few["plan"]["mode"] == "precise"
    assert few["sent"]["modes"] == {"precise": 1}
    assert few["sent"]["lookups"] == 2
    assert few["sent"]["copies"] <= 4 < few["sent_broadcast"]["copies"] == 17

    assert many["tasks"] == sum(many["tasks_by_router"]) == 3
    assert min(many["tasks_by_router"]) > 0, "one router had all tasks alone"
    assert many["plan"]["mode"] == "broadcast"
    assert many["sent"]["copies"] == many["plan"]["broadcast"]["copies"] == 3 * (1 + 16)
    assert many["sent"]["lookups"] == 0
    assert many["sent_precise"]["lookups"] == many["sent_precise"]["told"] == 2500
    assert many["article"] == {"precise": 7500, "broadcast": 2516}
    assert "broadcast" in table(result)


@pytest.mark.cluster_long
def test_the_command_prints_one_json_object() -> None:
    run = CliRunner().invoke(command, ["--nodes", "2", "--relays", "1", "--routers", "1", "--json"])
    assert run.exit_code == 0, run.output
    assert [row["uids"] for row in json.loads(run.stdout)["rows"]] == [2, 50, 1000, 10_000]
