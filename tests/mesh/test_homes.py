"""Which region a question goes to, and what is known of nodes elsewhere."""

import pytest
import trio

from mesh.homes import Homes
from mesh.lives import TRUSTED_S, Lives
from proto.errors import ErrorCode, RequestError
from proto.regions import ONE_REGION, Regions
from proto.services import LivesAnswer, Method, encode

REGIONS = Regions(names=("ap", "eu", "us"), im="us", rooms={"lobby": "eu", "stage": "ap"})


@pytest.mark.parametrize(
    ("method", "room", "home"),
    [
        (Method.PUBLISH, "lobby", "eu"),
        (Method.HEADS, "stage", "ap"),
        (Method.PUSH, "", "us"),
        (Method.ROUTES, "", "us"),
        (Method.IM, "phone", "us"),
        (Method.OPEN, "phone", "us"),
    ],
)
def test_a_question_goes_where_it_is_at_home(method: Method, room: str, home: str) -> None:
    assert Homes(REGIONS, "eu").of(method, room) == home


def test_ones_own_region_and_an_only_one_are_not_elsewhere() -> None:
    assert Homes(REGIONS, "eu").elsewhere("eu") == ""
    assert Homes(REGIONS, "eu").elsewhere("us") == "us"
    assert Homes(ONE_REGION, "local").elsewhere(Homes(ONE_REGION, "local").of(Method.IM, "")) == ""


class Elsewhere:
    """Answers `LIVES` for each region, or fails."""

    def __init__(self) -> None:
        self.answers: dict[str, LivesAnswer] = {}

    async def request(self, method: Method, _priority: object, *, home: str) -> bytes:
        assert method is Method.LIVES
        await trio.lowlevel.checkpoint()
        if home not in self.answers:
            raise RequestError(ErrorCode.HOME_UNREACHABLE)
        return encode(self.answers[home])


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


async def test_a_region_that_does_not_answer_is_unsettled_and_its_nodes_stay(
    elsewhere: Elsewhere, autojump_clock: object
) -> None:
    lives = Lives(elsewhere, ("eu", "us"))  # type: ignore[arg-type]
    elsewhere.answers["eu"] = LivesAnswer([("access-eu", "i1")], settled=True)
    elsewhere.answers["us"] = LivesAnswer([("access-us", "i2")], settled=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lives.keep, 1.0)
        await trio.sleep(0.5)
        assert lives.incarnations == {"access-eu": "i1", "access-us": "i2"}
        assert lives.region_of == {"access-eu": "eu", "access-us": "us"}
        assert lives.unsettled() == {"us"}
        del elsewhere.answers["eu"]
        await trio.sleep(TRUSTED_S + 1)
        assert lives.unsettled() == {"eu", "us"}
        assert "access-eu" in lives.incarnations
        assert lives.failures > 0
        elsewhere.answers["eu"] = LivesAnswer([("access-eu", "i3")], settled=True)
        await trio.sleep(1)
        assert lives.incarnations["access-eu"] == "i3"
        assert lives.unsettled() == {"us"}
        nursery.cancel_scope.cancel()


async def test_a_name_that_two_regions_have_is_counted_and_stays_with_one(
    elsewhere: Elsewhere,
) -> None:
    lives = Lives(elsewhere, ("eu", "us"))  # type: ignore[arg-type]
    elsewhere.answers["us"] = LivesAnswer([("access-1", "u")], settled=True)
    elsewhere.answers["eu"] = LivesAnswer([("access-1", "e")], settled=True)
    await lives.ask("us")
    await lives.ask("eu")
    assert lives.name_clashes == 1
    assert (lives.incarnations, lives.region_of) == ({"access-1": "e"}, {"access-1": "eu"})
