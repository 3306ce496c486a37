from typing import Any

import pytest
import trio

from bench.links import measure as hold
from bench.scale import agree
from bench.scale import measure as run
from simulation.deployment import Deployment

REAL: dict[str, Any] = {
    "links": 12,
    "copies": {"router_relay": 1.0, "relay_access": 3.9, "access_client": 200.0},
}


def test_a_run_agrees_where_links_are_the_same_and_copies_near() -> None:
    reckoned = {**REAL, "copies": {**REAL["copies"], "access_client": 215.0}}
    assert agree(REAL, reckoned)
    assert not agree({**REAL, "links": 11}, reckoned)
    assert not agree(REAL, {**reckoned, "copies": {**REAL["copies"], "relay_access": 3.0}})


@pytest.mark.cluster_long
def test_both_ways_hold_what_is_computed_for_them() -> None:
    result = hold([(4, 6), (100_000, 2)], most=1000)
    assert result["ok"]
    small, large = result["rows"]
    assert small["relayed"]["links"] == small["computed"]["held"] == 2 * (4 + 6)
    assert small["full_mesh"]["links"] == small["computed"]["full_mesh"] == 4 * 6
    assert small["relayed"]["connections"] == 3 * small["relayed"]["links"]
    assert large["relayed"] is None
    assert large["full_mesh"] is None


@pytest.mark.cluster_long
def test_a_small_deployment_holds_and_copies_what_is_reckoned() -> None:
    deployment = Deployment(clients=300, access=2, routers=1, relays=2, rooms=4, im=0.0)
    result = trio.run(run, deployment, 10.0)
    real, reckoned = result["real"], result["simulated"]
    assert real["links"] == reckoned["links"] == (2 + 1 + 1) * 2
    assert real["copies"]["router_relay"] == pytest.approx(1.0, abs=0.1)
    assert real["copies"]["relay_access"] == pytest.approx(2.0, abs=0.3)
