"""What is pure in the comparison with other servers."""

import msgspec
import pytest

from bench.edge.connecting import Connecting
from bench.load.payload import PAYLOAD_BYTES
from bench.load.run import Run
from bench.load.script import Script
from bench.peers import centrifugo, mosquitto, nats
from bench.peers.mosquitto import packet
from bench.peers.pacing import paced
from bench.peers.row import Turn, row
from bench.peers.table import HEAD, table

BUSY = Run(100, 99_000, 12.34, 56.78, 9.876, 0, 0, 0, 0.9, 0.3)
OPENED = Connecting(5000.4, 12.34, 100)


@pytest.mark.parametrize(
    ("size", "length"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (16_384, b"\x80\x80\x01")]
)
def test_mqtt_lengths_are_in_base_128(size: int, length: bytes) -> None:
    assert packet(0x30, b"x" * size) == b"\x30" + length + b"x" * size


@pytest.mark.parametrize("module", [nats, mosquitto, centrifugo])
def test_every_script_waits_for_what_the_server_says_last(module) -> None:
    script: Script = module._script(7)
    assert all(step.say and step.until for step in script)


def test_pacing_gives_each_message_once_in_order() -> None:
    said: list[bytes] = []
    published = paced(100_000, 0.001, said.append)
    numbers = [int(payload[20:28]) for payload in said]
    assert published.count == len(said) == 100
    assert numbers == list(range(numbers[0], numbers[0] + 100))
    assert {len(payload) for payload in said} == {PAYLOAD_BYTES}


def test_a_row_has_the_medians_and_all_losses() -> None:
    slow = msgspec.structs.replace(BUSY, p99_ms=500.0, lost=7)
    turns = [Turn(run, run, run, OPENED) for run in (slow, BUSY, BUSY)]
    found = row("server", turns)
    assert found["busy_1000"] == {
        "p50_ms": 12.3,
        "p99_ms": 56.8,
        "cpu_us_per_delivery": 9.88,
        "lost": 7,
    }
    assert found["saturation"] == {"deliveries_per_s": 99_000, "p99_ms": 56.8}


def test_the_table_has_a_line_for_each_server() -> None:
    rows = [
        row("one", [Turn(BUSY, BUSY, BUSY, OPENED)]),
        row("two", [Turn(BUSY, BUSY, None, OPENED)]),
    ]
    lines = table(rows).splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == len(HEAD) + 1 for line in lines)
    assert "99k/s at p99 56.8 ms" in lines[2]
    assert "none within 150 ms" in lines[3]
