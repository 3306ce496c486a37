from prometheus_client import CollectorRegistry, generate_latest
from trio.testing import MockClock

from access.census import Census
from access.edge.interface import Skipped
from access.metrics import AccessCollector
from access.thinned import encode_skipped
from access.users import SeenOnce
from proto.priorities import Priority
from proto.services import Method, RoomCensus
from tests.access.cluster import Client, World

BODY = b'{"push":"direct","mid":"m1","ts":1,"trace":"t","data":{}}'


async def test_a_message_to_a_user_reaches_each_device_and_nobody_else(
    world: World, autojump_clock: MockClock
) -> None:
    phone, laptop, other = world.client(), world.client(), world.client()
    await phone.hello("ann")
    await laptop.hello("ann")
    await other.hello("bob")
    world.mesh.users("m1", ["zoe", "ann"], BODY)
    assert len(phone.pushes("direct")) == len(laptop.pushes("direct")) == 1
    assert other.pushes() == []


async def test_a_doubled_message_to_users_is_delivered_once_also_in_parts(
    world: World, autojump_clock: MockClock
) -> None:
    ann, bob = world.client(), world.client()
    await ann.hello("ann")
    await bob.hello("bob")
    world.mesh.users("m1", ["ann"], BODY)
    world.mesh.users("m1", ["bob"], BODY)
    world.mesh.users("m1", ["ann", "bob"], BODY)
    assert len(ann.pushes()) == len(bob.pushes()) == 1
    assert world.node.counters.direct_duplicates == 2
    assert world.node.counters.direct_deliveries == 2


async def test_a_message_to_users_elsewhere_is_not_looked_into(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.users("m1", ["zoe"], b"never read")
    assert world.node.counters.direct_elsewhere == 1


def test_what_was_seen_is_bounded_by_age_and_size() -> None:
    seen = SeenOnce(size=2, age_s=10.0)
    assert seen.first(("a", "u"), 0.0)
    assert not seen.first(("a", "u"), 1.0)
    assert seen.first(("b", "u"), 2.0)
    assert seen.first(("c", "u"), 3.0)
    assert len(seen) == 2
    assert seen.first(("c", "u"), 30.0)
    assert len(seen) == 1


async def test_routes_come_and_go_with_connections(world: World, autojump_clock: MockClock) -> None:
    phone, laptop = world.client(), world.client()
    await phone.hello("ann")
    await laptop.hello("ann")
    world.edge.hang_up(phone.connection)
    await world.settle(1)
    (routes,) = await world.store.routes.lookup(["ann"])
    assert [route.connection for route in routes] == [laptop.connection.id]


async def test_with_the_store_away_clients_come_and_stay_and_routes_follow(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.store.away = True
    await world.settle(5)
    bob = world.client()
    ok = await bob.hello("bob", join=[{"room": "lobby"}])
    assert "error" not in ok["rooms"]["lobby"]
    world.mesh.say("lobby")
    assert ann.seqs() == bob.seqs() == [1]
    assert not world.node.lease.held
    world.store.away = False
    await world.settle(5)
    assert world.node.lease.held
    assert len((await world.store.routes.lookup(["bob"]))[0]) == 1
    assert world.node.routes.waiting == 0


async def test_a_store_that_lost_its_data_gets_all_routes_again(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await world.settle(5)
    assert await world.store.settled()
    world.store.away = True
    await world.settle(10)
    world.store.routes._routes.clear()
    world.store.away = False
    await world.settle(3)
    assert len((await world.store.routes.lookup(["ann"]))[0]) == 1


async def test_the_lease_tells_how_busy_the_node_is(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await world.settle(2)
    (lease,) = await world.store.living()
    assert (lease.node, lease.role, lease.incarnation) == ("access-1", "access", "i1")
    assert lease.status["connections"] == 1
    assert lease.status["rooms"] == 1
    await world.node.lease.resign()
    assert await world.store.living() == []


async def test_the_census_tells_changes_each_second_and_everything_now_and_then(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await world.settle(1.1)
    assert world.mesh.census == [RoomCensus("lobby", 1, 1, ["ann"])]
    await world.settle(3)
    assert len(world.mesh.census) == 1
    await world.settle(7)
    assert world.mesh.census[1:] == [RoomCensus("lobby", 1)]
    world.edge.hang_up(ann.connection)
    await world.settle(1.1)
    assert world.mesh.census[-1] == RoomCensus("lobby", 0)


async def test_a_census_that_failed_goes_up_again(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    from proto.errors import ErrorCode, RequestError

    world.mesh.failures.append(RequestError(ErrorCode.TIMEOUT))
    await world.settle(2.2)
    assert [room.online for room in world.mesh.census] == [1]
    assert len(world.mesh.asked_for(Method.CENSUS)) == 2


def test_a_census_of_many_rooms_goes_in_parts() -> None:
    census = Census(max_rooms_per_report=2)
    for room in "abc":
        census.changed(room)
    parts = list(census.reports([], lambda room: RoomCensus(room, 1)))
    assert [[room.room for room in part] for part in parts] == [["a", "b"], ["c"]]


async def test_metrics_say_what_happened(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")
    await ann.ask("ping")
    registry = CollectorRegistry()
    registry.register(AccessCollector(world.node))
    text = generate_latest(registry).decode()
    assert "relaymesh_access_connections 1.0" in text
    assert 'relaymesh_access_deliveries_total{priority="normal"} 1.0' in text
    assert 'relaymesh_access_requests_total{op="ping"} 1.0' in text
    assert 'relaymesh_access_latency_seconds_count{priority="normal"} 1.0' in text


async def test_a_draining_node_sends_new_clients_elsewhere(
    world: World, autojump_clock: MockClock
) -> None:
    world.node.sessions.draining = True
    assert world.client().connection.closed_with == 1012


def test_thinned_rounds_are_told_as_the_protocol_says() -> None:
    assert encode_skipped(Skipped("lobby", Priority.BULK, "e1", 3, 5)) == (
        b'[{"push":"skipped","room":"lobby","priority":"bulk","epoch":"e1","from":3,"to":5}]'
    )
