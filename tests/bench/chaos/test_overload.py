"""How an overload is judged: what watchers saw against what was acknowledged, and the gauges."""

import os
from typing import Any

import pytest

from bench.chaos.gauges import Gauges
from bench.chaos.watching import Watch


def push(priority: str, seq: int, kind: str = "notice") -> dict[str, Any]:
    return {"push": kind, "priority": priority, "seq": seq, "text": "0"}


def skipped(priority: str, first: int, last: int) -> dict[str, Any]:
    return {"push": "skipped", "priority": priority, "from": first, "to": last}


def watch(*frames: dict[str, Any]) -> Watch:
    """One watcher, `me`, who got these frames."""
    found = Watch(first_normal=100)
    found.received("me", list(frames))  # type: ignore[arg-type]
    return found


def missing(found: Watch) -> int:
    return found.missing(["me"])  # type: ignore[list-item]


def test_answers_are_of_the_priority_of_their_request() -> None:
    found = watch(
        {"reply": 1, "ok": {"seq": 7}},
        {"reply": 100, "ok": {"seq": 8}},
        {"reply": 101, "error": {"code": "overloaded"}},
    )
    assert found.acked == {("urgent", 7), ("normal", 8)}
    assert found.refused == {"overloaded": 1}


def test_what_was_acknowledged_and_neither_came_nor_was_told_is_missing() -> None:
    found = watch(push("normal", 1), skipped("normal", 2, 3), push("urgent", 1, "speech"))
    found.acked = {("normal", seq) for seq in range(1, 6)} | {("urgent", 1), ("bulk", 9)}
    assert missing(found) == 2
    assert found.skipped() == {"urgent": 0, "normal": 2, "bulk": 0}


def test_doubles_disorder_and_resets_are_counted() -> None:
    found = watch(
        push("normal", 1),
        push("normal", 3),
        push("normal", 2),
        push("normal", 3),
        push("urgent", 1),
        {"push": "reset", "priority": "bulk", "seq": 4},
    )
    (seen,) = found.seen.values()
    assert (seen.doubled(), seen.disordered(), seen.resets) == (1, 1, 1)


class FakeCluster:
    """A cluster whose relays, router and logic show what a test says."""

    def __init__(self, *readings: dict[str, float]) -> None:
        self._readings = iter(readings)

    async def metrics(self, role: str) -> dict[str, float]:
        return next(self._readings) if role == "relay" else {}

    def pids(self) -> dict[str, int]:
        return {"relay-1": os.getpid()}


async def test_gauges_show_what_has_grown_and_how_deep_the_bus_was() -> None:
    drops = 'relaymesh_relay_drops_total{priority="bulk",reason="lane_full"}'
    lag = 'relaymesh_router_bus_lag{topic="bulk"}'
    gauges = Gauges(
        FakeCluster({drops: 3, lag: 0}, {drops: 5, lag: 9}, {drops: 8, lag: 0})  # type: ignore[arg-type]
    )
    for _ in range(3):
        await gauges.read()
    assert gauges.depths == [0, 9, 0]
    assert gauges.counted("relaymesh_relay_drops") == {"bulk lane_full": 5}
    assert gauges.counted("relaymesh_relay_holds") == {}
    assert gauges.growth_mb() >= 0
    assert gauges.memory_mb()["relay-1"][0] == pytest.approx(gauges.before_mb["relay-1"], abs=1)
