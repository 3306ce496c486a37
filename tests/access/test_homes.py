"""A node whose rooms and users are at home in several regions."""

from collections.abc import Callable

import pytest
from trio.testing import MockClock

from access.mesh_routes import MeshRoutes
from backends.errors import StoreUnavailableError
from backends.routes.interface import Route
from proto.errors import ErrorCode, RequestError
from proto.regions import Regions
from proto.services import Method, RouteChange, RoutesBody, decode_census, decode_likes
from proto.services import decode_routes as decode
from tests.access.cluster import FakeMesh, World

MakeWorld = Callable[..., World]

REGIONS = Regions(names=("local", "us"), im="us", rooms={"here": "local", "there": "us"})
UNREACHABLE = RequestError(ErrorCode.HOME_UNREACHABLE, retry_after_ms=1000)


@pytest.fixture
def regional(make_world: MakeWorld) -> World:
    return make_world(regions=REGIONS)


def cut_off(world: World) -> None:
    """Let what is asked of the other region fail."""
    ask = world.mesh.request

    async def request(method: Method, *args: object, **facts: object) -> bytes:
        home = facts.get("home") or REGIONS.home_of_room(str(facts.get("room", "")))
        if home == "us":
            raise UNREACHABLE
        return await ask(method, *args, **facts)  # type: ignore[arg-type]

    world.mesh.request = request  # type: ignore[method-assign,assignment]


async def test_likes_and_census_go_to_the_homes_of_their_rooms(
    regional: World, autojump_clock: MockClock
) -> None:
    ann = regional.client()
    await ann.hello("ann", join=[{"room": "here"}, {"room": "there"}])
    ann.send("like", room="here", count=2)
    ann.send("like", room="there", count=3)
    await regional.settle(2)
    likes = [each for each in regional.mesh.asked if each.method is Method.LIKES]
    assert {
        (each.facts["home"], count.room, count.count)
        for each in likes
        for count in decode_likes(each.body).counts
    } == {("local", "here", 2), ("us", "there", 3)}
    census = [each for each in regional.mesh.asked if each.method is Method.CENSUS]
    assert {
        (each.facts["home"], room.room)
        for each in census
        for room in decode_census(each.body).rooms
    } == {("local", "here"), ("us", "there")}


async def test_a_region_that_can_not_be_reached_holds_back_nobody_elses_likes(
    regional: World, autojump_clock: MockClock
) -> None:
    ann = regional.client()
    await ann.hello("ann", join=[{"room": "here"}, {"room": "there"}])
    cut_off(regional)
    here = ann.send("like", room="here", count=2)
    there = ann.send("like", room="there", count=3)
    await regional.settle(2)
    assert (await ann.reply(here))["ok"] == {"counted": 2}
    assert (await ann.reply(there))["error"]["code"] == "home_unreachable"
    assert regional.mesh.likes("here") == 2


async def test_a_room_that_can_not_be_reached_is_refused_and_others_are_joined(
    regional: World, autojump_clock: MockClock
) -> None:
    cut_off(regional)
    ann = regional.client()
    ok = await ann.hello("ann", join=[{"room": "here"}, {"room": "there"}])
    assert ok["rooms"]["here"]["room"] == "here"
    assert ok["rooms"]["there"]["error"]["code"] == "home_unreachable"
    assert ok["rooms"]["there"]["error"]["retry_after_ms"] == 1000


async def test_routes_are_written_where_users_are_at_home(
    regional: World, autojump_clock: MockClock
) -> None:
    ann = regional.client()
    await ann.hello("ann")
    (told,) = [each for each in regional.mesh.asked if each.method is Method.ROUTES]
    (added,) = decode(told.body).add
    assert (added.uid, added.node) == ("ann", regional.node.identity.node)
    assert decode(told.body).region == "local"


async def test_routes_that_can_not_be_told_are_for_the_keeper_to_repeat() -> None:
    mesh = FakeMesh(lambda *_: None)
    route = Route("access-1", "i1", 7, "phone")
    writer = MeshRoutes(mesh, "eu")
    mesh.down = UNREACHABLE
    with pytest.raises(StoreUnavailableError):
        await writer.add([("ann", route)])
    mesh.down = None
    await writer.remove([("ann", route)])
    change = RouteChange("ann", "access-1", "i1", 7, "phone")
    assert decode(mesh.asked[-1].body) == RoutesBody("eu", remove=[change])
