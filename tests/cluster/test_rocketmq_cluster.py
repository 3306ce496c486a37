"""A whole cluster on a real RocketMQ broker, which is killed under it: `just rocketmq up` first."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import trio

from bench.cluster import Cluster, running_cluster

pytestmark = pytest.mark.rocketmq

ADDRESS = os.environ.get("RELAYMESH_TEST_ROCKETMQ", "127.0.0.1:9876")
ON_ROCKETMQ = ("--bus", "rocketmq", "--bus-url", ADDRESS)
NOTICED_WITHIN_S = 6.0
"""Heads are repeated each second, so that a gap is known and repaired after that; the rest is for
machines that are busy with a broker's start."""


def relaymesh(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `relaymesh ARGUMENTS --json`; returns its exit code and what it printed."""
    command = [sys.executable, "-P", "-m", "ops", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


async def consumed(cluster: Cluster) -> float:
    metrics = await cluster.metrics("router")
    return sum(
        value
        for name, value in metrics.items()
        if name.startswith("relaymesh_router_consumed_total")
    )


async def test_a_cluster_passes_every_check_and_another_on_the_same_broker_sees_nothing() -> None:
    async with running_cluster(*ON_ROCKETMQ) as cluster, running_cluster(*ON_ROCKETMQ) as other:
        where = ["--port-base", str(cluster.port_base), "--state-dir", str(cluster.state_dir)]
        code, report = await trio.to_thread.run_sync(relaymesh, "check", *where)
        assert code == 0, [check for check in report["checks"] if not check["ok"]]
        assert "redis-bus" not in cluster.pids()
        assert await consumed(cluster) > 100
        assert await consumed(other) == 0


def test_a_killed_broker_costs_a_room_nothing_and_hardly_time() -> None:
    arguments = ("--kill", "bus", "--kills", "1", "--seed", "5")
    code, result = relaymesh("chaos", "room", *ON_ROCKETMQ, *arguments)
    assert code == 0, result
    assert len(result["bus_away_s"]) == 1
    assert result["recovery_max_s"] < NOTICED_WITHIN_S


def test_parts_killed_beside_the_broker_lose_nothing() -> None:
    arguments = ("--kill", "access,relay,router,logic,redis,bus", "--kills", "6", "--seed", "9")
    code, result = relaymesh("chaos", "room", *ON_ROCKETMQ, *arguments)
    assert code == 0, result
    assert (result["lost"], result["doubled"], result["disordered"]) == (0, 0, 0)
    assert result["killed"]["bus"] == 1
    assert result["acked"] == result["sent"] > 100


def test_likes_are_counted_exactly_over_the_broker() -> None:
    code, result = relaymesh("bench", "likes", "--likes", "50000", "--seconds", "3", *ON_ROCKETMQ)
    assert (code, result["total"]) == (0, 50_000), result


def test_chaos_refuses_a_broker_that_it_can_not_kill() -> None:
    command = [sys.executable, "-P", "-m", "ops", "chaos", "room", "--kill", "bus"]
    elsewhere = ["--bus", "rocketmq", "--bus-url", "127.0.0.1:1"]
    done = subprocess.run(
        [*command, *elsewhere], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "has no running broker at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
