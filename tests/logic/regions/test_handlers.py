"""What logic answers to other regions."""

import msgspec
import pytest
import trio

from backends.leases.interface import NodeLease, RegionNodes
from backends.leases.memory import MemoryRegistry
from backends.routes.interface import Route
from backends.routes.memory import MemoryRoutes
from logic.living import Living
from logic.presence.presence import Presence, State
from logic.regions.at_home import at_home
from logic.regions.leases import LeasesHandler
from logic.regions.lives import LivesHandler
from logic.regions.routes import MAX_CHANGES, RoutesHandler
from mesh.lives import Lives
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.regions import Regions
from proto.services import (
    LivesAnswer,
    Method,
    RouteChange,
    RoutesBody,
    decode_lives_answer,
    encode,
)

REGIONS = Regions(names=("eu", "us"), im="eu", rooms={"here": "eu", "there": "us"})
CHANGE = RouteChange("ann", "access-us", "i1", 7, "phone")


def asked(method: Method, room: str = "") -> RequestHeader:
    return RequestHeader(1, "access-us", "i1", method, 1000, room=room)


async def test_lives_are_the_access_nodes_of_this_region(autojump_clock: object) -> None:
    registry = MemoryRegistry(trio.current_time, 3.0)
    for node, role in (("access-1", "access"), ("logic-1", "logic")):
        await registry.renew(NodeLease(node, role, "eu", "i1", "", {}))
    await trio.sleep(2)
    living = Living(registry)
    await living.refresh()
    answer = await LivesHandler(living).handle(asked(Method.LIVES), b"")
    assert decode_lives_answer(answer) == LivesAnswer([("access-1", "i1")], living.settled)


async def test_leases_are_all_nodes_of_this_region_without_their_details(
    autojump_clock: object,
) -> None:
    registry = MemoryRegistry(trio.current_time, 3.0)
    await registry.renew(NodeLease("relay-1", "relay", "eu", "i1", "", {"nodes": ["access-1"]}))
    await trio.sleep(4)
    said = {"connections": 3, "im": {"devices": 2}, "moving": {"show": 9}}
    await registry.renew(NodeLease("access-1", "access", "eu", "i1", "", said))
    answer = await LeasesHandler(registry).handle(asked(Method.LEASES), b"")
    living, lost = msgspec.json.decode(answer, type=RegionNodes)
    assert living == [NodeLease("access-1", "access", "eu", "i1", "", {"connections": 3})]
    assert [(each.lease.node, each.lease.status, each.silent_s) for each in lost] == [
        ("relay-1", {}, 4.0)
    ]


async def test_connections_elsewhere_are_kept_with_their_region_and_removed() -> None:
    routes = MemoryRoutes()
    handler = RoutesHandler(routes, REGIONS)
    await handler.handle(asked(Method.ROUTES), encode(RoutesBody("us", add=[CHANGE])))
    ((route,),) = await routes.lookup(["ann"])
    assert (route, route.device, route.region) == (Route("access-us", "i1", 7), "phone", "us")
    await handler.handle(asked(Method.ROUTES), encode(RoutesBody("us", remove=[CHANGE])))
    assert await routes.lookup(["ann"]) == [[]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (RoutesBody("mars", add=[CHANGE]), "region"),
        (RoutesBody("us", add=[CHANGE] * (MAX_CHANGES + 1)), "add"),
        (RoutesBody("us", add=[RouteChange("a b", "access-us", "i1", 7)]), "uid"),
        (RoutesBody("us", add=[RouteChange("ann", "us/access", "i1", 7)]), "node"),
        (RoutesBody("us", add=[RouteChange("ann", "access-us", "i 1", 7)]), "node"),
    ],
)
async def test_bad_routes_are_refused_by_field_and_none_is_written(
    body: RoutesBody, field: str
) -> None:
    routes = MemoryRoutes()
    with pytest.raises(RequestError) as refused:
        await RoutesHandler(routes, REGIONS).handle(asked(Method.ROUTES), encode(body))
    assert (refused.value.body.code, refused.value.body.field) == (ErrorCode.BAD_FRAME, field)
    assert await routes.lookup(["ann"]) == [[]]


async def test_a_room_is_numbered_at_home_alone() -> None:
    async def handle(header: RequestHeader, _body: bytes) -> bytes:
        return header.room.encode()

    guarded = at_home(handle, REGIONS, "eu")
    assert await guarded(asked(Method.PUBLISH, "here"), b"") == b"here"
    assert await guarded(asked(Method.CENSUS), b"") == b""
    with pytest.raises(RequestError) as refused:
        await guarded(asked(Method.PUBLISH, "there"), b"")
    assert refused.value.body.code is ErrorCode.HOME_UNREACHABLE


class Us:
    """The other region's logic: says who lives there until it is cut off."""

    def __init__(self) -> None:
        self.reachable = True
        self.lives = [("access-us", "i1")]

    async def request(self, *_args: object, **_facts: object) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.reachable:
            raise RequestError(ErrorCode.HOME_UNREACHABLE)
        return encode(LivesAnswer(self.lives, settled=True))


class Settled:
    """Leases of a region in which nobody but logic lives."""

    async def living(self) -> list[NodeLease]:
        return []

    async def settled(self) -> bool:
        return True


async def test_presence_elsewhere_is_unknown_once_the_region_is_cut_off(
    autojump_clock: object,
) -> None:
    us, routes = Us(), MemoryRoutes()
    elsewhere = Lives(us, ("us",))  # type: ignore[arg-type]
    presence = Presence(routes, Living(Settled(), elsewhere))  # type: ignore[arg-type]
    await routes.add([("ann", Route("access-us", "i1", 1, "", "us"))])
    await routes.add([("bob", Route("access-us", "before", 2, "", "us"))])

    async def states() -> list[State]:
        return [each.state for each in await presence.of(["ann", "bob", "eve"])]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(elsewhere.keep, 1.0)
        await trio.sleep(0.5)
        assert await states() == [State.ONLINE, State.OFFLINE, State.OFFLINE]
        us.reachable = False
        await trio.sleep(5)
        assert await states() == [State.ONLINE, State.UNKNOWN, State.OFFLINE]
        us.reachable, us.lives = True, []
        await trio.sleep(1.5)
        assert await states() == [State.OFFLINE, State.OFFLINE, State.OFFLINE]
        nursery.cancel_scope.cancel()
