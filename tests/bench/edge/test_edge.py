"""The measurement itself, with few connections and short runs: speed is no matter here."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import bench.edge
from bench.edge.measure import Lengths, measure

BRIEF = Lengths(1, 0.5, 0.5, 0.3, 0.2, 0.1)
CONNECTIONS = 100


@pytest.mark.cluster_long
def test_it_says_what_it_should_and_nothing_is_lost() -> None:
    result = measure(CONNECTIONS, BRIEF)
    assert result["ok"], result
    assert set(result["saturation"]) == {"deliveries_per_s", "p99_ms"}
    assert set(result["at_100k"]) == {"p50_ms", "p99_ms", "cpu_us_per_delivery"}
    assert set(result["quiet"]) == {"p50_ms", "p99_ms"}
    positive = ("inbound_us", "chat_us", "connects_per_s", "c_loop_deliveries_per_s")
    assert all(result[key] > 0 for key in positive), result
    assert all(f"`{key}`" in str(bench.edge.__doc__) for key in result)
    msgspec.json.encode(result)


@pytest.mark.cluster_long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_serves_ends_whole(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ops", "bench", "edge", "--serve", "--rate", "50"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    about = msgspec.json.decode(process.stdout.readline())
    assert {"url", "room", "token_secret", "payload", "hello", "subprotocol"} <= set(about)
    parts = _children(process.pid)
    assert len(parts) == 4
    process.send_signal(number)
    assert process.wait(20) == 0
    process.stdout.close()
    assert not any(map(_lives, parts))


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
