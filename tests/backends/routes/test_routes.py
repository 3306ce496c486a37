import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from backends.routes.interface import MAX_ROUTES, Route
from backends.routes.memory import MemoryRoutes
from backends.routes.redis import RedisRoutes


@pytest.fixture
def routes(store_world):
    return MemoryRoutes() if store_world.redis is None else RedisRoutes(store_world.redis)


async def test_several_devices_have_a_route_each(routes):
    phone, laptop = Route("access-1", "i1", 5), Route("access-2", "j1", 5)
    await routes.add([("ann", phone)])
    await routes.add([("ann", laptop)])
    await routes.add([("ann", phone)])
    assert set((await routes.lookup(["ann"]))[0]) == {phone, laptop}


async def test_answers_stand_in_the_order_asked(routes):
    for i in range(1500):
        await routes.add([(f"u{i}", Route("access-1", "i1", i))])
    found = await routes.lookup(["nobody", *(f"u{i}" for i in reversed(range(1500)))])
    assert found[0] == []
    assert [r[0].connection for r in found[1:]] == list(reversed(range(1500)))
    assert await routes.lookup([]) == []


async def test_many_at_once(routes):
    many = [(f"u{i % 700}", Route("access-1", "i1", i)) for i in range(1400)]
    await routes.add(many)
    await routes.remove(many[:700])
    found = await routes.lookup([f"u{i}" for i in range(700)])
    assert [[route.connection for route in each] for each in found] == [
        [700 + i] for i in range(700)
    ]


async def test_a_connection_removes_its_own_route_alone(routes):
    old, new = Route("access-1", "i1", 5), Route("access-1", "i1", 6)
    await routes.add([("ann", old)])
    await routes.add([("ann", new)])
    await routes.remove([("ann", old)])
    await routes.remove([("ann", Route("access-1", "i0", 6))])
    await routes.remove([("bob", old)])
    assert await routes.lookup(["ann", "bob"]) == [[new], []]
    await routes.remove([("ann", new)])
    assert await routes.lookup(["ann"]) == [[]]


async def test_a_nodes_new_life_drops_what_its_old_one_left(routes):
    await routes.add([("ann", Route("access-1", "i1", 5))])
    await routes.add([("ann", Route("access-10", "i1", 7))])
    await routes.add([("ann", Route("access-1", "i2", 1))])
    assert set((await routes.lookup(["ann"]))[0]) == {
        Route("access-10", "i1", 7),
        Route("access-1", "i2", 1),
    }


async def test_the_newest_connections_are_kept(routes):
    for i in range(MAX_ROUTES + 5):
        await routes.add([("ann", Route("access-1", "i1", i))])
    found = (await routes.lookup(["ann"]))[0]
    assert [route.connection for route in found] == list(range(5, MAX_ROUTES + 5))


async def test_a_route_says_its_device(routes):
    phone, plain = Route("access-1", "i1", 1, "phone"), Route("access-1", "i1", 11)
    await routes.add([("ann", phone)])
    await routes.add([("ann", plain)])
    await routes.add([("ann", phone)])
    found = (await routes.lookup(["ann"]))[0]
    assert [(route.connection, route.device) for route in found] == [(11, ""), (1, "phone")]
    # Who removes a route names the connection; the device goes with it.
    await routes.remove([("ann", Route("access-1", "i1", 1))])
    assert (await routes.lookup(["ann"]))[0] == [plain]


async def test_leftovers_vanish_in_redis(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        routes = RedisRoutes(redis, ttl_s=100)
        await routes.add([("ann", Route("access-1", "i1", 1))])
        await routes.add([("ann", Route("access-1", "i1", 2))])
        await routes.remove([("ann", Route("access-1", "i1", 2))])
        assert 90_000 < await redis.call("", ("PTTL", "rm:u:ann")) <= 100_000


STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from("ab"),
        st.builds(
            Route,
            st.sampled_from(["n", "n1"]),
            st.sampled_from("ij"),
            st.sampled_from([1, 2, 12]),
            st.sampled_from(["", "p"]),
        ),
    ),
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_redis_does_what_memory_does(shared_redis, steps):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        await redis.call("", ("FLUSHALL",))
        both = [MemoryRoutes(max_routes=3), RedisRoutes(redis, max_routes=3)]
        for adds, uid, route in steps:
            for routes in both:
                await (routes.add if adds else routes.remove)([(uid, route)])
        known = [await routes.lookup(["a", "b"]) for routes in both]
        assert known[0] == known[1]
        devices = [[route.device for its in each for route in its] for each in known]
        assert devices[0] == devices[1]


async def test_a_route_in_another_region_keeps_its_region_and_device(routes):
    here, there = Route("access-1", "i1", 5), Route("access-us", "i1", 5, "phone", "us")
    await routes.add([("ann", here)])
    await routes.add([("ann", there)])
    (found,) = await routes.lookup(["ann"])
    assert [(r.node, r.region, r.device) for r in found] == [
        ("access-1", "", ""),
        ("access-us", "us", "phone"),
    ]
    await routes.remove([("ann", there)])
    assert await routes.lookup(["ann"]) == [[here]]
