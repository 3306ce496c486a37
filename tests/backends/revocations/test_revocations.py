"""One suite for revocations in memory and in Redis."""

import pytest

from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from backends.revocations.interface import PAGE, Revocations
from backends.revocations.memory import MemoryRevocations
from backends.revocations.redis import RedisRevocations
from proto.auth_services import Revocation
from tests.backends.conftest import StoreWorld
from tests.conftest import RedisServer

HOUR_MS = 3_600_000


@pytest.fixture
def revocations(store_world: StoreWorld) -> Revocations:
    if store_world.redis is None:
        return MemoryRevocations(store_world.now_ms)
    return RedisRevocations(store_world.redis, now_ms=store_world.now_ms)


def of_user(world: StoreWorld, uid: str = "ann", *, before_ms: int = 0) -> Revocation:
    return Revocation(uid, "", before_ms or world.now_ms(), world.now_ms() + HOUR_MS)


def of_login(world: StoreWorld, sid: str, uid: str = "ann") -> Revocation:
    return Revocation(uid, sid, world.now_ms(), world.now_ms() + HOUR_MS)


async def test_what_is_new_is_read_once_and_in_order(
    revocations: Revocations, store_world: StoreWorld
) -> None:
    assert (await revocations.since(0)).revocations == []
    first, second = of_user(store_world), of_login(store_world, "s1", "")
    await revocations.revoke([first])
    seen = await revocations.since(0)
    assert (seen.revocations, seen.more) == ([first], False)
    await revocations.revoke([second])
    later = await revocations.since(seen.version)
    assert later.revocations == [second]
    assert later.version > seen.version > 0
    assert (await revocations.since(later.version)).revocations == []
    assert (await revocations.since(0)).revocations == [first, second]


async def test_the_same_again_changes_nothing(
    revocations: Revocations, store_world: StoreWorld
) -> None:
    revocation = of_login(store_world, "s1")
    await revocations.revoke([revocation])
    version = (await revocations.since(0)).version
    await revocations.revoke([revocation])
    assert (await revocations.since(version)).revocations == []


async def test_a_later_one_of_the_same_user_takes_its_place_and_an_older_one_does_not(
    revocations: Revocations, store_world: StoreWorld
) -> None:
    first = of_user(store_world)
    await revocations.revoke([first])
    version = (await revocations.since(0)).version
    await store_world.advance(10)
    second = of_user(store_world)
    await revocations.revoke([second, first])
    assert (await revocations.since(version)).revocations == [second]
    assert (await revocations.since(0)).revocations == [second]


async def test_a_login_whose_user_was_not_known_keeps_the_name_that_comes_later(
    revocations: Revocations, store_world: StoreWorld
) -> None:
    await revocations.revoke([of_login(store_world, "s1", "")])
    await revocations.revoke([of_login(store_world, "s1", "ann")])
    await revocations.revoke([of_login(store_world, "s1", "")])
    assert (await revocations.since(0)).revocations == [of_login(store_world, "s1", "ann")]


async def test_what_is_over_is_forgotten(revocations: Revocations, store_world: StoreWorld) -> None:
    await revocations.revoke([of_user(store_world, "ann"), of_login(store_world, "s1")])
    await store_world.advance(HOUR_MS / 1000 - 1)
    await revocations.revoke([of_user(store_world, "bob")])
    assert len((await revocations.since(0)).revocations) == 3
    await store_world.advance(2)
    assert [each.uid for each in (await revocations.since(0)).revocations] == ["bob"]
    await revocations.revoke([of_user(store_world, "cem")])
    if store_world.redis is not None:
        assert await store_world.redis.call("", ("HLEN", "rm:{revocations}:entries")) == 2
        assert await store_world.redis.call("", ("ZCARD", "rm:{revocations}:index")) == 2


async def test_a_revocation_that_is_over_already_is_not_kept(
    revocations: Revocations, store_world: StoreWorld
) -> None:
    await revocations.revoke([Revocation("ann", "", 1, store_world.now_ms())])
    assert (await revocations.since(0)).revocations == []


async def test_many_come_in_pages(revocations: Revocations, store_world: StoreWorld) -> None:
    await revocations.revoke([of_login(store_world, f"s{n}") for n in range(PAGE + 1)])
    first = await revocations.since(0)
    assert (len(first.revocations), first.more) == (PAGE, True)
    rest = await revocations.since(first.version)
    assert (len(rest.revocations), rest.more) == (1, False)
    seen = {each.sid for each in first.revocations + rest.revocations}
    assert len(seen) == PAGE + 1


async def test_versions_grow_over_a_loss_of_the_data(shared_redis: RedisServer) -> None:
    world = StoreWorld()
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        store = RedisRevocations(redis, now_ms=world.now_ms)
        await store.revoke([of_user(world)])
        version = (await store.since(0)).version
        await redis.call("", ("FLUSHALL",))
        await store.revoke([of_user(world, "bob")])
        assert [each.uid for each in (await store.since(version)).revocations] == ["bob"]
