"""The two kinds of places: what lies between their regions takes its time, loses, and is cut."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.regions.description import Description, Host
from bench.regions.namespaces import CannotError
from bench.regions.place import Link, Place
from tests.regions.conftest import PLACES

pytestmark = pytest.mark.regions

ECHO = Path(__file__).with_name("echo.py")
SMALL = Description(names=("eu", "us"), relays=1, spare_relays=0, access=1)
HERE, THERE = Host("eu", "relay-1"), Host("us", "relay-1")


@pytest.fixture(scope="module", params=list(PLACES))
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A place in which nothing runs but an echo in us."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NETNS_PREFIX", "rp-")  # beside those of the other tests
        environment.setenv("NETNS_NET", "10.78")
        found = PLACES[request.param](SMALL)
        try:
            found.open(tmp_path_factory.mktemp("place"))
        except CannotError as error:
            pytest.skip(str(error))
        listening = run(found, THERE, "listen", found.address(THERE, "urgent"))
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n"
        yield found
        listening.kill()
        listening.communicate()
        found.close()


@pytest.fixture
def place(opened: Place) -> Iterator[Place]:
    """The place, with links as they should be."""
    yield opened
    for region in ("eu", "us"):
        opened.set_link(region, Link())


def run(place: Place, host: Host, *arguments: str) -> "subprocess.Popen[str]":
    argv = place.command(host, [sys.executable, str(ECHO), *arguments])
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def asking(place: Place, by: Host, count: int) -> "subprocess.Popen[str]":
    """Ask the echo over the link between the regions."""
    urgent = place.dialled(THERE, by.region).partition(",")[0].removeprefix("tls+tcp://")
    return run(place, by, "ask", urgent, str(count))


def answers(asked: "subprocess.Popen[str]") -> tuple[list[int], list[float]]:
    """Return the numbers that came back, and the milliseconds that each took."""
    assert asked.stdout is not None
    lines = [line.split() for line in asked.stdout]
    asked.wait(10)
    return [int(number) for number, _ in lines], [float(ms) for _, ms in lines]


def test_a_round_trip_between_regions_takes_80_ms_unless_told_otherwise(place: Place) -> None:
    numbers, took_ms = answers(asking(place, HERE, 20))
    assert numbers == list(range(20))
    assert min(took_ms) >= 79
    place.set_link("us", Link(delay_ms=200))
    assert min(answers(asking(place, HERE, 5))[1]) >= 139  # the mean of 80 and 200


def test_nothing_crosses_while_a_link_is_cut_and_nothing_is_lost(place: Place) -> None:
    asked = asking(place, HERE, 100)
    assert asked.stdout is not None
    assert asked.stdout.readline().startswith("0 ")
    place.set_link("us", Link(up=False))
    cut_ms = 700.0
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(cut_ms / 1000)
    place.set_link("us", Link())
    numbers, took_ms = answers(asked)
    assert numbers == list(range(1, 100))
    assert max(took_ms) >= cut_ms / 2


def test_a_connection_made_while_a_link_is_cut_stands_when_it_is_healed(place: Place) -> None:
    place.set_link("eu", Link(up=False))
    asked = asking(place, HERE, 3)
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(0.5)
    place.set_link("eu", Link())
    assert answers(asked)[0] == [0, 1, 2]


def test_lost_packets_come_later_and_in_order(place: Place) -> None:
    place.set_link("us", Link(delay_ms=10, loss_percent=10))
    numbers, took_ms = answers(asking(place, HERE, 100))
    assert numbers == list(range(100))
    assert max(took_ms) >= 200
