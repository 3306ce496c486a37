"""`scripts/netns.sh`: what it makes, what it says, and that it leaves nothing behind."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.regions.namespaces import CANNOT, SCRIPT

pytestmark = pytest.mark.regions

OWN = {"NETNS_PREFIX": "rt-", "NETNS_NET": "10.79", "REGIONS": "one two", "RELAYS": "1"}
"""Beside those of the other tests, and smaller."""


def netns(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(SCRIPT), *arguments],
        env=os.environ | OWN | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def up() -> Iterator[None]:
    """Two small regions, for all tests here until one takes them down."""
    done = netns("up")
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    yield
    netns("down")


def namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    return sorted(name for name in names if name.startswith("rt-"))


def test_up_makes_each_host_and_is_idempotent(up: None) -> None:
    hosts = ["access-1", "access-2", "logic-1", "relay-1", "router-1", "store"]
    wanted = [f"rt-{region}-{host}" for region in ("one", "two") for host in hosts]
    assert namespaces() == sorted([*wanted, "rt-one", "rt-two", "rt-wan"])
    again = netns("up")
    assert again.returncode == 0
    assert "up already: one two" in again.stdout


def test_status_measures_round_trips(up: None) -> None:
    netns("delay", "two", "40")  # between one with 80 and two with 40: 60
    netns("loss", "one", "0.5")
    said = netns("status").stdout
    assert "one  10.79.1.0/24  link up, 80 ms, loss 0.5 %" in said
    assert "two  10.79.2.0/24  link up, 40 ms, loss 0 %" in said
    row = next(line.split() for line in said.splitlines() if line.startswith("   one"))
    inside_ms, between_ms = float(row[2]), float(row[4])
    assert inside_ms >= 1
    assert between_ms >= 60
    netns("cut", "two")
    assert "two   none" in netns("status").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "up|down|status"),
        (["fly"], 2, "up|down|status"),
        (["delay", "one"], 2, "up|down|status"),
        (["delay", "one", "soon"], 2, "expected a number from 0 to 60000, got 'soon'"),
        (["loss", "two", "101"], 2, "expected a number from 0 to 100, got '101'"),
        (["cut", "three"], 1, "no region three; there are one two"),
    ],
)
def test_mistakes_get_a_line(up: None, arguments: list[str], code: int, said: str) -> None:
    done = netns(*arguments)
    assert done.returncode == code
    assert said in done.stderr


def test_down_leaves_nothing_not_even_what_ran_inside(up: None) -> None:
    inside = subprocess.Popen(["ip", "netns", "exec", "rt-one-access-1", "sleep", "600"])
    assert netns("status").returncode == 0
    assert netns("down").stdout == "down\n"
    assert inside.wait(10) != 0
    assert namespaces() == []
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    assert "rt-" not in links.stdout
    assert netns("down").stdout == "down already\n"
    assert netns("status").returncode == 3


def test_a_name_that_fits_no_interface_is_refused() -> None:
    done = netns("up", REGIONS="eu south-america")
    assert done.returncode == 2
    assert "'south-america' is none of 1 to 12 of a-z 0-9 -" in done.stderr


def test_what_is_down_can_not_be_changed() -> None:
    done = netns("cut", "one")
    assert (done.returncode, done.stderr) == (1, "netns: down; run netns.sh up first\n")


def test_where_namespaces_can_not_be_made_one_line_says_why(tmp_path: Path) -> None:
    # A machine without iproute2.
    for program in ("bash", "uname", "id", "awk", "dirname", "cat", "rm", "sed", "grep", "tr"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    done = netns("up", PATH=str(tmp_path))
    assert done.returncode == CANNOT
    assert done.stderr == (
        "netns: namespaces can't be made here: ip is missing (iproute2 has ip and tc)\n"
    )
