"""`relaymesh simulate` as people use it."""

import json

import pytest
from click.testing import CliRunner

from ops.command import relaymesh

SMALL = ["--clients", "5000", "--access", "6", "--routers", "3", "--regions", "3"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(relaymesh, ["simulate", *arguments])
    return result.exit_code, result.output


def test_it_prints_one_json_object_with_what_was_asked_for() -> None:
    code, text = run(*SMALL, "--relays", "2", "--json")
    assert code == 0
    result = json.loads(text)
    assert {"links", "copies", "bytes", "load", "latency_ms", "heat", "loss"} <= set(result)
    assert result["links"]["held"] == (6 + 3) * 2 + 3 * 2 * 2 * 2
    assert result["links"]["full_mesh"] == 6 * 3
    assert result["links"]["per_node"]["access"] == 2
    for label in ("urgent", "normal", "bulk"):
        assert 0 < result["latency_ms"][label]["p50"] < result["latency_ms"][label]["p99"]
    assert result["load"]["relay"]["nodes"] == 6


def test_without_json_it_prints_a_table() -> None:
    code, text = run(*SMALL)
    assert code == 0
    for part in ("in a full mesh", "relay → access", "load, as shares", "a region"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--clients", "0"], "--clients: expected 1 to 100,000,000, got 0"),
        (["--clients", "100000001"], "--clients: expected 1 to 100,000,000"),
        (["--regions", "7"], "--access: expected at least one for each of the 7 regions, got 6"),
        (["--relays", "9"], "--relays: expected 0 to 8, got 9"),
        (["--room-per-s", "-1"], "--room-per-s: expected 0 to"),
        (["--rooms", "6000"], "--rooms: expected at most one for each client"),
        (["--zipf", "x"], "'x' is not a valid float"),
        (["--bus", "kafka"], "--bus"),
    ],
)
def test_what_can_not_be_is_named(arguments: list[str], complaint: str) -> None:
    code, text = run(*SMALL, *arguments)
    assert code != 0
    assert complaint in text
    assert "Traceback" not in text
