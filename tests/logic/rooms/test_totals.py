import json

import pytest
import trio

from backends.leases.interface import NodeLease
from proto.errors import ErrorCode, RequestError
from proto.identity import NodeIdentity
from proto.services import CensusBody, LikeCount, LikesBody, Method, RoomCensus
from proto.topics import Topic

OTHER = NodeIdentity(node="logic-2", region="local", incarnation="l2")


def pushed(world, kind, room="a"):
    frames = [json.loads(record.body) for record in world.records(Topic.BULK)]
    return [frame for frame in frames if (frame["push"], frame["room"]) == (kind, room)]


async def keep_access_node(world):
    while True:
        await world.registry.renew(NodeLease("access-1", "access", "local", "i1", "", {}))
        await trio.sleep(1)


@pytest.fixture
async def settled(world, running, nursery):
    """A running node, after its first lease time."""
    nursery.start_soon(keep_access_node, world)
    logic, stopping = await running()
    await trio.sleep(4.5)
    return logic, stopping


async def like(ask, logic, count, room="a"):
    await ask(logic, Method.LIKES, LikesBody([LikeCount(room, "n1", count)]))


async def census(ask, logic, *rooms):
    assert await ask(logic, Method.CENSUS, CensusBody([RoomCensus(*room) for room in rooms])) == b""


async def test_the_like_total_is_pushed_once_a_second_whatever_the_rate(
    autojump_clock, ask, world, settled
):
    logic, _ = settled
    for n in range(1, 101):
        await like(ask, logic, n)
        await trio.sleep(0.05)
    await trio.sleep(2)
    totals = [frame["total"] for frame in pushed(world, "likes")]
    assert 5 <= len(totals) <= 7
    assert totals == sorted(set(totals))
    assert totals[-1] == 100
    await trio.sleep(20)
    assert len(pushed(world, "likes")) == len(totals)
    assert logic.counters.totals_pushed["likes"] == len(totals)


async def test_totals_are_numbered_messages_of_the_bulk_stream(autojump_clock, ask, world, settled):
    logic, _ = settled
    await like(ask, logic, 3)
    await trio.sleep(2)
    (frame,) = pushed(world, "likes")
    assert (await world.room_log.heads("a")).seqs == (0, 0, 1)
    assert set(frame) == {"epoch", "seq", "push", "room", "priority", "total", "ts"}
    assert (frame["seq"], frame["priority"], frame["total"]) == (1, "bulk", 3)


async def test_online_tells_members_and_who_came_in(autojump_clock, ask, world, settled):
    logic, _ = settled
    await census(ask, logic, ("a", 2, 2, ["ann", "bob"]), ("b", 1, 1, ["ann"]))
    await trio.sleep(1.5)
    (frame,) = pushed(world, "online")
    assert (frame["online"], frame["entered_count"], frame["entered"]) == (2, 2, ["bob", "ann"])
    await census(ask, logic, ("a", 2))
    await trio.sleep(1.5)
    assert len(pushed(world, "online")) == 1
    await census(ask, logic, ("a", 0))
    await trio.sleep(1.5)
    assert pushed(world, "online")[-1]["online"] == 0
    assert len(pushed(world, "online", "b")) == 1


async def test_members_of_a_node_that_died_go_with_its_lease(autojump_clock, ask, world, settled):
    logic, _ = settled
    await world.registry.renew(NodeLease("access-2", "access", "local", "j1", "", {}))
    await census(ask, logic, ("a", 2))
    await world.census.report("access-2", "j1", [RoomCensus("a", 5)])
    await trio.sleep(1.5)
    assert pushed(world, "online")[-1]["online"] == 7
    await trio.sleep(10)  # no renewal of access-2
    await census(ask, logic, ("a", 2))
    await trio.sleep(1.5)
    assert pushed(world, "online")[-1]["online"] == 2


async def test_no_count_is_shown_before_the_leases_have_settled(
    autojump_clock, ask, world, running, nursery
):
    nursery.start_soon(keep_access_node, world)
    logic, _ = await running()
    await census(ask, logic, ("a", 2, 1, ["ann"]))
    await trio.sleep(1.5)
    assert pushed(world, "online") == []
    await trio.sleep(4)
    shown = [(frame["online"], frame["entered"]) for frame in pushed(world, "online")]
    assert shown == [(2, ["ann"])]


async def test_what_could_not_be_published_is_published_later(autojump_clock, ask, world, settled):
    logic, _ = settled
    world.room_log.away = True
    await like(ask, logic, 3)
    await trio.sleep(5)
    assert pushed(world, "likes") == []
    world.room_log.away = False
    await trio.sleep(2)
    assert [frame["total"] for frame in pushed(world, "likes")] == [3]


async def test_instances_share_the_shards_and_take_over(
    autojump_clock, ask, world, settled, running
):
    one, stopping = settled
    two, _ = await running(OTHER)
    await trio.sleep(5)
    shares = one.status()["shards"], two.status()["shards"]
    assert sum(shares) == 16
    assert min(shares) >= 2
    for i in range(20):
        await like(ask, one, 7, f"r{i}")
    await trio.sleep(3)
    for i in range(20):
        assert [frame["total"] for frame in pushed(world, "likes", f"r{i}")] == [7]
    stopping.set()
    await trio.sleep(5)
    assert two.status()["shards"] == 16
    for i in range(20):
        await like(ask, two, 8, f"r{i}")
    await trio.sleep(3)
    for i in range(20):
        assert pushed(world, "likes", f"r{i}")[-1]["total"] == 8


@pytest.mark.parametrize(
    ("room", "field"),
    [
        (("no room", 1), "room"),
        (("a", -1), "online"),
        (("a", 10**12), "online"),
        (("a", 1, -1), "entered_count"),
        (("a", 1, 1, ["no uid"]), "entered"),
        (("a", 1, 1, ["u"] * 101), "entered"),
    ],
)
async def test_a_census_that_is_refused(autojump_clock, ask, world, logic, room, field):
    with pytest.raises(RequestError) as caught:
        await census(ask, logic, ("a", 5), room)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.BAD_FRAME, field)
    assert await world.census.online("a", frozenset({("access-1", "i1")})) == 0
