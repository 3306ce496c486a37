"""Three regions with 80 ms between them, started once on the loopback and once in namespaces."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import trio

from bench.regions.description import Description
from bench.regions.loopback import Loopback
from bench.regions.namespaces import CannotError, Namespaces
from bench.regions.place import Place
from bench.regions.world import World, running_world
from proto.regions import Regions

PLACES: dict[str, Callable[[Description], Place]] = {
    "loopback": Loopback,
    "namespaces": Namespaces,
}
HEAT = {"online": 1000, "rise_s": 1.0, "fall_s": 1.0, "retry_s": 1.0, "move_rate_per_s": 10.0}
SETS: dict[str, dict[str, Any]] = {
    "access": {"room": {"linger_s": 0.5}},
    "router": {"heat": HEAT},
}
"""Settings with which what takes minutes takes seconds."""

_numbers = count(1)


@pytest.fixture(scope="session", params=list(PLACES))
def shared_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """All regions, for the whole run."""
    description = Description(dedicated=("us",))
    place = PLACES[request.param](description)
    state = tmp_path_factory.mktemp("regions")
    try:
        with running_world(description, place, state, sets=SETS) as world:
            trio.run(come_up, world)
            yield world
    except CannotError as error:
        pytest.skip(str(error))


async def come_up(world: World) -> None:
    """Wait until all nodes do their work, and all relays are linked."""
    await world.ready()
    await world.linked()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """All regions as they should be, whatever the test has done to the links."""
    yield shared_world
    for region in shared_world.description.names:
        shared_world.heal(region)


@pytest.fixture
def room_at() -> Callable[[str], str]:
    """Return a function that names a new room which is at home in the given region."""
    regions = Regions(names=Description().names, im=Description().im)

    def fresh(home: str) -> str:
        names = (f"room-{number}" for number in _numbers)
        return next(name for name in names if regions.home_of_room(name) == home)

    return fresh
