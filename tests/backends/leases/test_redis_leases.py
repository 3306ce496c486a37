import pytest

from backends.leases.interface import NodeLease
from backends.leases.redis import RedisDuties, RedisRegistry
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings


async def test_lost_data_unsettles_and_fencing_numbers_still_grow(redis_server):
    async with open_redis(StoreSettings(url=redis_server.url)) as redis:
        registry, duties = RedisRegistry(redis), RedisDuties(redis)
        node = NodeLease("access-1", "access", "local", "i1", "", {})
        await registry.renew(node)
        await redis.call("", ("DEL", "rm:{nodes}:settling"))  # a lease time has passed
        assert await registry.settled()
        fence = await duties.hold("d", "a", 3)
        redis_server.kill()
        redis_server.lose_data()
        redis_server.start()
        assert not await registry.settled()
        assert await duties.hold("d", "b", 3) > fence
        await registry.renew(node)
        assert not await registry.settled()


async def names(redis):
    """The nodes that some index names."""
    return [
        await redis.call("", ("SMEMBERS", "rm:{nodes}:index")),
        await redis.call("", ("SMEMBERS", "rm:{nodes}:index:access")),
        await redis.call("", ("HGETALL", "rm:{nodes}:pools")),
        await redis.call("", ("SMEMBERS", "rm:{nodes}:pools:hot-1")),
    ]


NODE = NodeLease("access-1", "access", "local", "i1", "", {"pool": "hot-1"})


@pytest.mark.parametrize("read", [RedisRegistry.living, lambda it: it.living_in("hot-1", 9)])
async def test_a_node_that_is_gone_leaves_its_pool_by_whoever_sees_it(shared_redis, read):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        registry = RedisRegistry(redis)
        await registry.renew(NODE)
        assert all(await names(redis))
        await redis.call("", ("DEL", "rm:{nodes}:lease:access-1"))  # its time is over
        assert await read(registry) == []
        assert (await names(redis))[1:] == [[], [], []]
        assert await registry.living() == []
        assert await names(redis) == [[], [], [], []]


async def test_a_node_that_resigns_leaves_every_index(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        registry = RedisRegistry(redis)
        await registry.renew(NODE)
        await registry.resign("access-1", "i1")
        assert await names(redis) == [[], [], [], []]
