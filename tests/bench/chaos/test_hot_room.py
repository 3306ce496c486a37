"""What is killed in which phase, and when a run has gone well."""

import random
from typing import Any

import pytest

from bench.chaos.hot_room import PARTS, PHASES, Run, report, schedule
from bench.chaos.killing import part_of
from bench.hot_room.heat_log import HeatLog, Sample

GONE_WELL: dict[str, Any] = {
    "states": ["normal", "preparing", "normal", *PHASES, "normal"],
    "moved": 100,
    "lost": 0,
    "doubled": 0,
}


@pytest.mark.parametrize("seed", range(20))
def test_each_part_and_each_phase_has_its_kill(seed: int) -> None:
    dealt = schedule(list(PARTS), random.Random(seed))
    assert list(dealt) == list(PHASES)
    assert all(dealt.values())
    assert {part for parts in dealt.values() for part in parts} == set(PARTS)
    assert "dedicated" in dealt["hot"]


def test_one_part_is_killed_in_each_phase() -> None:
    assert schedule(["relay"], random.Random(1)) == {phase: ["relay"] for phase in PHASES}


def test_the_seed_says_what_is_killed_when() -> None:
    orders = [schedule(list(PARTS), random.Random(seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_dedicated_nodes_are_a_part_of_their_own() -> None:
    names = ["access-1", "access-hot-1", "redis-store", "redis-bus", "router-2"]
    assert [part_of(name) for name in names] == ["access", "dedicated", "redis", "bus", "router"]


def judged(kills: dict[str, list[str]] | None = None, **changed: Any) -> bool:
    this = Run(None, None, random.Random(1), HeatLog())  # type: ignore[arg-type]
    this.kills = kills or {**{key: ["relay"] for key in PHASES}, "hot": ["dedicated"]}
    this.replaced = changed.pop("replaced", {"after_s": 1.0, "viewers": {"a": 50, "b": 50}})
    this.left_over = changed.pop("left_over", 0)
    return bool(report(this, GONE_WELL | changed, ["relay", "dedicated"])["ok"])


def test_a_run_goes_well_through_retries_too() -> None:
    assert judged()


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": 1},
        {"doubled": 1},
        {"left_over": 1},
        {"moved": 0},
        {"states": ["normal", "preparing", "normal"]},
        {"states": ["normal", *PHASES]},
        {"replaced": {}},
        {"replaced": {"after_s": 1.0, "viewers": {"a": 100}}},
        {"kills": {"preparing": ["relay"], "moving": ["relay"], "hot": ["dedicated"]}},
        {"kills": {key: ["relay"] for key in PHASES}},
    ],
)
def test_a_run_that_has_not_gone_well_says_so(wrong: dict[str, Any]) -> None:
    assert not judged(**wrong)


def test_times_in_a_state_that_came_twice_are_added_up() -> None:
    log = HeatLog()
    for at_s, state in enumerate(
        ["normal", "preparing", "normal", "preparing", "moving", "moving"]
    ):
        log.take(Sample(at_s, state, 0, 0))
    assert log.state == "moving"
    assert log.states == ["normal", "preparing", "normal", "preparing", "moving"]
    assert log.phases_s() == {"normal": 2.0, "preparing": 2.0}
