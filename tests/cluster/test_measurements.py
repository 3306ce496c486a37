"""The measuring commands as users run them: what they count must be right, not how fast it is."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.cluster_long


def relaymesh(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `relaymesh ARGUMENTS --json`; returns its exit code and what it printed."""
    command = [sys.executable, "-m", "ops", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_room_loses_nothing() -> None:
    code, result = relaymesh("bench", "room", "--viewers", "300", "--rate", "60", "--seconds", "5")
    assert (code, result["lost"], result["skipped"]) == (0, 0, 0)
    assert result["published"] == 360
    assert set(result["cpu_us_per_delivery"]) == {"access", "relay", "router", "logic", "redis"}
    assert result["links"]["held"] == 8


def test_a_hundred_thousand_likes_are_counted_exactly() -> None:
    code, result = relaymesh("bench", "likes", "--likes", "100000", "--seconds", "4")
    assert code == 0
    assert result["total"] == result["acked"] == result["likes"] == 100_000
    # Merged on the way: 4,000 requests of clients become a fraction of that, and that of writes.
    assert result["writes"] <= result["upward_messages"] < result["client_frames"] / 5
    assert result["pushes"] <= result["seconds"] + 3


def test_urgent_messages_arrive_complete_and_in_order_under_a_flood() -> None:
    _, result = relaymesh("bench", "isolation", "--seconds", "4")
    flooded = result["flooded"]
    assert (flooded["lost"], flooded["disordered"]) == (0, 0)
    assert flooded["acked"] == flooded["sent"]


def test_killed_processes_lose_nothing_that_was_acknowledged() -> None:
    code, result = relaymesh("chaos", "room", "--kills", "12", "--seed", "7")
    assert code == 0, result
    assert (result["lost"], result["doubled"], result["disordered"]) == (0, 0, 0)
    assert set(result["killed"]) == {"access", "relay", "router", "logic", "redis", "bus"}


def test_killed_processes_lose_no_instant_message_that_was_acknowledged() -> None:
    code, result = relaymesh("chaos", "im", "--messages", "600", "--kills", "12", "--seed", "5")
    assert code == 0, result
    assert (result["sent"], result["acked"]) == (600, 600)
    assert (result["lost"], result["doubled"], result["disordered"]) == (0, 0, 0)
    assert set(result["killed"]) == {"access", "relay", "router", "logic", "redis", "bus"}


@pytest.mark.timed
def test_who_is_revoked_is_closed_within_a_second_while_a_relay_is_killed() -> None:
    code, result = relaymesh("chaos", "revoke", "--users", "12", "--seed", "3")
    assert code == 0, result
    assert (result["closed"], result["otherwise"], result["let_in"]) == (24, 0, 0)
    assert (result["kills"], result["disturbed"]) == (1, 0)
    assert result["max_ms"] <= 1000


def test_kills_while_a_room_moves_lose_nothing_that_was_acknowledged() -> None:
    code, result = relaymesh("chaos", "hot-room", "--viewers", "100", "--seed", "3")
    assert code == 0, result
    assert (result["lost"], result["doubled"], result["left_over"]) == (0, 0, 0)
    assert ("hot" in result["states"], result["states"][-1]) == (True, "normal")
    assert set(result["kills"]) == {"preparing", "moving", "hot", "cooling"}
    assert "dedicated" in result["kills"]["hot"]
    assert sum(result["replaced"]["viewers"].values()) == 100


def test_a_room_becomes_hot_and_normal_again_and_nobody_misses_anything() -> None:
    code, result = relaymesh("demo", "hot-room", "--viewers", "300", "--threshold", "100")
    assert code == 0, result
    assert result["states"] == ["normal", "preparing", "moving", "hot", "cooling", "normal"]
    assert (result["lost"], result["doubled"], result["told"]) == (0, 0, 0)
    assert result["sent"] == result["acked"] > 0
    # Who comes while the room moves is sent to its pool at once: not all are moved.
    assert min(result["moved"], result["moved_back"]) > 0
    assert result["on_dedicated"] == 300


def test_a_rolling_restart_of_every_node_loses_nothing_that_was_acknowledged() -> None:
    code, result = relaymesh("chaos", "rolling")
    assert code == 0, result
    assert (result["restarted"], result["crashed"]) == (8, 0)
    assert (result["lost"], result["doubled"], result["disordered"]) == (0, 0, 0)
    assert (result["refused"], result["told"]) == (0, 0)
    assert min(result["acked"], result["bulk"]) > 0


@pytest.mark.timed
def test_an_overload_is_answered_held_back_and_over_when_it_is_over() -> None:
    code, result = relaymesh("chaos", "overload", "--seconds", "12", "--quiet", "2")
    assert code == 0, result
    assert (result["lost"], result["doubled"], result["disordered"], result["resets"]) == (0,) * 4
    assert result["skipped"]["urgent"] == 0
    assert result["bus_depth"]["peak"] > result["bus_depth"]["after"] == 0
    assert min(result["overloaded"], *result["holds"].values()) > 0


def test_instant_messages_are_counted_to_the_last_row() -> None:
    code, result = relaymesh("bench", "im", "--per-s", "200", "--seconds", "3", "--members", "40")
    assert code == 0, result
    assert (result["sent"], result["acked"], result["delivered"]) == (600, 600, 600)
    assert (result["lost"], result["refused"], result["database"]) == (0, 0, "sqlite")
    assert result["group_messages"] == 200


@pytest.mark.timed
def test_a_hop_carries_every_message() -> None:
    _, result = relaymesh("bench", "hop")
    assert result["lost"] == 0


def test_copies_are_counted_beside_the_formulas() -> None:
    code, result = relaymesh("bench", "copies")
    assert code == 0, result


def test_a_storm_is_answered_to_the_last_client() -> None:
    sizes = ("--viewers", "200", "--connects", "4000", "--seconds", "2")
    _, result = relaymesh("bench", "storm", *sizes)
    assert result["others"] == {}
    assert result["admitted"] + result["refused"] == 4000
    assert result["admitted"] > 0
    assert result["lost"] == 0
