import pytest
import trio

from backends.errors import StoreUnavailableError
from backends.leases.memory import MemoryDuties
from backends.provisioner.interface import ProvisionerError
from backends.provisioner.static import CLAIM_S, StaticPools

POOLS = ("spare-1", "spare-2")


class World:
    """Two routers with the same pools, and the rules that both read."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.ruled: set[str] = set()
        self.away = False
        duties = MemoryDuties(lambda: self.now_s)
        self.router_1, self.router_2 = (StaticPools(POOLS, self.in_use, duties) for _ in range(2))

    async def in_use(self) -> set[str]:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise StoreUnavailableError("no answer")
        return self.ruled


@pytest.fixture
def world() -> World:
    return World()


async def test_two_routers_never_give_away_the_same_pool(world):
    given = [await world.router_1.provide("a", "", 1), await world.router_2.provide("b", "", 1)]
    assert sorted(given) == ["spare-1", "spare-2"]
    with pytest.raises(ProvisionerError, match="all 2 pools are in use"):
        await world.router_2.provide("c", "", 1)


async def test_what_rules_name_is_known_after_a_restart(world):
    world.ruled = {"spare-1"}
    assert await world.router_1.provide("b", "", 1) == "spare-2"
    world.ruled = {"spare-1", "spare-2"}
    world.now_s += CLAIM_S
    with pytest.raises(ProvisionerError, match="in use"):
        await world.router_1.provide("c", "", 1)


async def test_a_claim_that_no_rule_followed_lapses(world):
    assert {await world.router_1.provide(room, "", 1) for room in "ab"} == set(POOLS)
    world.now_s += CLAIM_S
    assert await world.router_2.provide("c", "", 1) in POOLS


async def test_a_pool_of_another_config_is_replaced(world):
    assert await world.router_1.provide("a", "gone-1", 1) in POOLS


async def test_with_the_store_away_no_pool_is_given(world):
    world.away = True
    with pytest.raises(ProvisionerError, match="not known: no answer"):
        await world.router_1.provide("a", "", 1)


async def test_a_room_that_prepares_keeps_its_pool_by_asking_again(world):
    pool = await world.router_1.provide("a", "", 1)
    for _ in range(3):
        world.now_s += CLAIM_S - 1
        assert await world.router_2.provide("a", pool, 1) == pool
    assert await world.router_2.provide("b", "", 1) != pool


async def test_a_room_whose_claim_was_lost_gets_another_pool(world):
    pool = await world.router_1.provide("a", "", 1)
    other = next(each for each in POOLS if each != pool)
    world.now_s += CLAIM_S
    world.ruled = {other}
    assert await world.router_1.provide("b", "", 1) == pool
    world.ruled = set()
    assert await world.router_1.provide("a", pool, 1) == other


async def test_a_pool_that_is_given_back_is_free_at_once(world):
    pools = [await world.router_1.provide(room, "", 1) for room in "ab"]
    await world.router_2.release("a", pools[0])
    assert await world.router_2.provide("c", "", 1) == pools[0]
    await world.router_2.release("a", pools[0])
    with pytest.raises(ProvisionerError, match="in use"):
        await world.router_1.provide("d", "", 1)
