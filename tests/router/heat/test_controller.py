from collections.abc import AsyncIterator

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest

from backends.heat.interface import Transition
from backends.provisioner.names import pool_of
from proto.heat import HeatState, Rule, Wish
from router.heat.history import tagged
from router.heat.machine import TELL_NORMAL_S
from router.heat.metrics import HeatCollector
from router.heat.pools import ORPHAN_S
from router.heat.state import Reason
from tests.router.heat.world import START_MS, World

NORMAL, PREPARING, MOVING, HOT, COOLING = HeatState
POOL = pool_of("r")
DAY_MS = 86_400_000


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        yield World(nursery)
        nursery.cancel_scope.cancel()


async def test_a_room_becomes_hot_and_cools(world: World, autojump_clock: object) -> None:
    router = world.router()
    world.viewers = {"r": 2000, "small": 900}
    await world.until(HOT)
    assert router.controller.status() == {
        "r": {
            "state": "hot",
            "fence": (await world.heat.load("r")).rule.fence,
            "pool": POOL,
            "online": 2000,
        }
    }
    assert world.pools.pools == {POOL: 5}
    world.viewers["r"] = 100
    await world.until(NORMAL)
    assert world.states == [NORMAL, PREPARING, MOVING, HOT, COOLING, NORMAL]
    await trio.sleep(TELL_NORMAL_S / 2)
    # The pool is given back, and for a minute the rule is told.
    assert world.pools.pools == {}
    assert (await world.heat.rules()).by_room["r"].state is NORMAL
    await trio.sleep(TELL_NORMAL_S)
    assert dict((await world.heat.rules()).by_room) == {}
    assert await world.state("small") is NORMAL
    assert router.controller.status() == {}


async def test_what_was_done_can_be_scraped(world: World, autojump_clock: object) -> None:
    router = world.router()
    world.viewers = {"r": 2000}
    await world.until(HOT)
    await trio.sleep(1.5)
    registry = CollectorRegistry()
    registry.register(HeatCollector(router.counters))
    lines = set(generate_latest(registry).decode().splitlines())
    assert 'relaymesh_heat_rooms{state="hot"} 1.0' in lines
    moved = 'from="moving",reason="viewers_moved",to="hot"'
    assert f"relaymesh_heat_transitions_total{{{moved}}} 1.0" in lines
    assert 'relaymesh_heat_phase_seconds_count{state="preparing"} 1.0' in lines
    assert 'relaymesh_heat_provisioner_errors_total{op="provide"} 0.0' in lines


async def test_the_rules_of_a_move_are_told_when_gateways_know_them(
    world: World, autojump_clock: object
) -> None:
    router = world.router()
    world.deaf = {"router-1"}
    world.viewers = {"r": 2000}
    await world.until(MOVING)
    since_s = trio.current_time()
    while router.telling.rules.get("r") is None or router.telling.rules["r"].state is not MOVING:
        await trio.sleep(0.1)
    assert trio.current_time() - since_s >= 3.0
    await world.until(HOT)


async def test_a_router_that_dies_is_replaced_wherever_it_was(
    world: World, autojump_clock: object
) -> None:
    world.viewers = {"r": 2000}
    for number, state in enumerate((PREPARING, MOVING, HOT, COOLING)):
        world.router(f"router-{number}")
        if state is COOLING:
            world.viewers["r"] = 10
        await world.until(state)
        world.kill(f"router-{number}")
    world.router("router-9")
    await world.until(NORMAL)
    assert world.states == [NORMAL, PREPARING, MOVING, HOT, COOLING, NORMAL]
    await trio.sleep(15)
    assert world.pools.pools == {}


@pytest.mark.parametrize("lossy", ["advance", "publish", "keep", "load", "rules", "forget"])
async def test_a_router_that_dies_between_two_calls_leaves_nothing_half_done(
    world: World, lossy: str, autojump_clock: object
) -> None:
    doomed = world.router("router-1")
    doomed.store.lossy = lossy
    world.viewers = {"r": 2000}
    await trio.sleep(10)
    world.kill("router-1")
    world.router("router-2")
    await world.until(HOT)
    world.viewers["r"] = 10
    await world.until(NORMAL)
    await trio.sleep(TELL_NORMAL_S + 15)
    assert world.pools.pools == {}
    assert dict((await world.heat.rules()).by_room) == {}


async def test_a_store_that_does_not_answer_is_waited_for(
    world: World, autojump_clock: object
) -> None:
    router = world.router()
    world.viewers = {"r": 2000}
    for state in (PREPARING, MOVING, HOT):
        await world.until(state)
        router.store.away = router.duties.away = True
        await trio.sleep(30)
        router.store.away = router.duties.away = False
    assert await world.state() is HOT
    assert router.counters.failures > 0


async def test_answers_of_the_store_that_are_lost_change_nothing(
    world: World, autojump_clock: object
) -> None:
    router = world.router()
    world.viewers = {"r": 2000}
    for lossy in ("advance", "publish", "keep"):
        router.store.lossy = lossy
        await trio.sleep(12)
    router.store.lossy = ""
    await world.until(HOT)
    assert world.pools.pools == {POOL: 5}


async def test_two_routers_that_both_think_that_a_room_is_theirs(
    world: World, autojump_clock: object
) -> None:
    for name in ("router-1", "router-2"):
        router = world.router(name)

        async def hold(duty: str, holder: str, ttl_s: float) -> int | None:
            return 1

        router.duties.hold = hold
        router.controller._shards._routers = lambda name=name: [name]
    world.viewers = {"r": 2000}
    await world.until(HOT)
    await trio.sleep(30)
    assert await world.state() is HOT
    assert world.states == [NORMAL, PREPARING, MOVING, HOT]
    made = sum(sum(each.counters.transitions.values()) for each in world.routers.values())
    assert made == 3
    assert world.pools.pools == {POOL: 5}
    world.viewers["r"] = 10
    await world.until(NORMAL)
    await trio.sleep(TELL_NORMAL_S + 15)
    assert world.pools.pools == {}


async def test_routers_share_the_rooms(world: World, autojump_clock: object) -> None:
    routers = [world.router(f"router-{number}") for number in range(3)]
    world.viewers = {f"r{number}": 2000 for number in range(12)}
    await world.until(HOT, "r1")
    await trio.sleep(5)
    kept = [set(router.controller.status()) for router in routers]
    assert all(kept)
    assert sorted(name for names in kept for name in names) == sorted(world.viewers)


async def test_a_provisioner_that_never_answers_holds_no_other_room(
    world: World, autojump_clock: object
) -> None:
    router = world.router()
    world.viewers = {"r": 2000}
    world.pools.hangs = True
    await world.until(PREPARING)
    await trio.sleep(1)
    world.pools.hangs = False
    world.viewers["other"] = 2000
    await world.until(MOVING, "other", 12)
    assert await world.state("r") is PREPARING
    await world.until(NORMAL)
    assert router.counters.transitions[PREPARING, NORMAL, Reason.NO_CAPACITY] == 1
    assert await world.trouble() == "no answer within 20 s"
    await world.until(HOT)
    assert await world.trouble() == ""
    assert router.counters.provisioner_errors["provide"] == 1


async def test_a_provisioner_that_has_too_few_nodes(world: World, autojump_clock: object) -> None:
    router = world.router()
    world.pools.most = 3
    world.viewers = {"r": 2000}
    await world.until(PREPARING)
    await world.until(NORMAL)
    assert router.counters.provisioner_errors["provide"] >= 2
    assert "3" in await world.trouble()
    world.pools.most = 100
    await world.until(HOT)


async def test_a_pool_whose_provider_was_cut_off_is_given_back(
    world: World, autojump_clock: object
) -> None:
    """The provisioner made the pool, its answer was lost, and then the room had cooled."""
    world.router()
    world.pools.hangs = True
    world.viewers = {"r": 2000}
    await world.until(PREPARING)
    await trio.sleep(1)
    assert world.pools.pools == {POOL: 5}
    world.viewers["r"] = 10
    world.pools.hangs = False
    await world.until(NORMAL)
    await trio.sleep(ORPHAN_S + TELL_NORMAL_S)
    assert world.pools.pools == {}
    released = [call for call in world.pools.calls if call[0] == "release"]
    assert released == [("release", POOL, 0)]


async def test_a_pool_that_is_not_taken_back_is_offered_again(
    world: World, autojump_clock: object
) -> None:
    router = world.router()
    world.viewers = {"r": 2000}
    await world.until(HOT)
    world.viewers["r"] = 10
    await world.until(NORMAL)
    world.pools.failure = "away"
    await trio.sleep(100)
    assert router.counters.provisioner_errors["release"] > 2
    assert "r" in (await world.heat.rules()).by_room
    world.kill("router-1")
    world.router("router-2")
    world.pools.failure = ""
    await trio.sleep(15)
    assert world.pools.pools == {}


async def test_two_rooms_of_one_pool_keep_it_until_both_are_normal(
    world: World, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setattr("backends.provisioner.memory.pool_of", lambda room: "hot-same")
    world.router()
    world.viewers = {"r": 2000, "s": 2000}
    await world.until(HOT)
    await world.until(HOT, "s")
    world.viewers["r"] = 10
    await world.until(NORMAL)
    await trio.sleep(30)
    assert world.pools.pools == {"hot-same": 5}
    world.viewers["s"] = 10
    await world.until(NORMAL, "s")
    await trio.sleep(30)
    assert world.pools.pools == {}


async def test_dead_dedicated_nodes_are_asked_for_again(
    world: World, autojump_clock: object
) -> None:
    world.router()
    world.viewers = {"r": 2000}
    await world.until(HOT)
    world.down = {f"{POOL}-0"}
    calls = len(world.pools.calls)
    await trio.sleep(10)
    assert ("provide", "r", 5) in world.pools.calls[calls:]
    assert await world.state() is HOT


async def test_a_pool_that_dies_and_stays_dead_sends_the_room_back(
    world: World, autojump_clock: object
) -> None:
    world.router()
    world.viewers = {"r": 2000}
    await world.until(HOT)
    world.down = {f"{POOL}-{number}" for number in range(5)}
    await world.until(COOLING)
    await world.until(NORMAL)
    world.down = set()
    await world.until(HOT)


async def test_a_step_of_the_clock_changes_nothing(world: World, autojump_clock: object) -> None:
    world.router()
    world.viewers = {"r": 2000}
    fences = []
    for state, step_ms in ((PREPARING, DAY_MS), (MOVING, -3 * DAY_MS), (HOT, 5 * DAY_MS)):
        await world.until(state)
        fences.append((await world.heat.load("r")).rule.fence)
        world.clock_ms += step_ms
    assert world.states == [NORMAL, PREPARING, MOVING, HOT]
    assert fences == sorted(set(fences))
    await trio.sleep(30)
    assert await world.state() is HOT


async def test_a_rule_for_a_room_that_does_not_exist_is_ended(
    world: World, autojump_clock: object
) -> None:
    world.router()
    rule = await world.heat.advance(Transition("ghost", 0, HOT, "hot-9", 0), START_MS)
    await world.heat.publish(rule)
    await world.heat.publish(Rule("never", MOVING, 7, "hot-8"))
    await world.until(NORMAL, "ghost")
    await trio.sleep(TELL_NORMAL_S + 15)
    assert dict((await world.heat.rules()).by_room) == {}


async def test_a_wish_for_a_room_that_does_not_exist_makes_no_pool(
    world: World, autojump_clock: object
) -> None:
    world.router()
    await world.heat.wish("ghost", Wish.HOT)
    await trio.sleep(60)
    assert world.pools.calls == []


@pytest.mark.parametrize("step_ms", [0, -DAY_MS])
async def test_a_store_that_lost_its_data_gets_newer_rules(
    world: World, autojump_clock: object, step_ms: int
) -> None:
    world.router()
    world.viewers = {"r": 2000}
    await world.until(HOT)
    before = (await world.heat.load("r")).rule
    world.clock_ms += step_ms
    world.heat._kept.clear()
    world.heat._rules.clear()
    world.log.rules.clear()
    await trio.sleep(2)
    rule = (await world.heat.load("r")).rule
    assert rule.fence > before.fence
    assert (await world.heat.rules()).by_room["r"].fence >= rule.fence
    await world.until(HOT)
    assert world.pools.pools == {POOL: 5}


async def test_an_index_that_lost_a_rule_is_repaired(world: World, autojump_clock: object) -> None:
    world.router()
    world.viewers = {"r": 2000}
    world.silent = {"r"}
    await world.heat.retag("r", tagged)
    await world.heat.wish("r", Wish.HOT)
    world.silent = set()
    await world.until(HOT)
    world.silent = {"r"}
    world.heat._rules.clear()
    await trio.sleep(2)
    assert (await world.heat.rules()).by_room["r"].state is HOT


async def test_a_room_that_is_often_hot_starts_hot(world: World, autojump_clock: object) -> None:
    router = world.router()
    for _ in range(3):
        world.viewers["r"] = 2000
        await world.until(HOT)
        world.viewers["r"] = 0
        await world.until(NORMAL)
        await trio.sleep(15)
    tag = (await world.heat.tags())["r"]
    assert (tag.by, len(tag.hot_at_ms)) == ("history", 3)
    started = router.counters.transitions[NORMAL, PREPARING, Reason.TAGGED]
    world.viewers["r"] = 1
    await world.until(HOT)
    assert router.counters.transitions[NORMAL, PREPARING, Reason.TAGGED] == started + 1
    world.viewers.clear()
    await world.census.report("access-1", "i1", [])
    world.clock_ms += 31 * DAY_MS
    await trio.sleep(5)
    assert dict(await world.heat.tags()) == {}


async def test_without_a_provisioner_no_room_becomes_hot(
    world: World, autojump_clock: object
) -> None:
    router = world.router(provisioner=None)
    world.viewers = {"r": 2000}
    await trio.sleep(60)
    assert await world.state() is NORMAL
    assert router.controller._unserved == {"r"}


async def test_hot_rooms_cool_where_the_provisioner_was_taken_away(
    world: World, autojump_clock: object
) -> None:
    world.router("router-1")
    world.viewers = {"r": 2000}
    await world.until(HOT)
    world.kill("router-1")
    world.router("router-2", provisioner=None)
    await world.until(NORMAL)
    await trio.sleep(TELL_NORMAL_S + 5)
    assert dict((await world.heat.rules()).by_room) == {}


async def test_rooms_that_other_routers_keep_now_are_noted_no_longer(
    world: World, autojump_clock: object
) -> None:
    first = world.router("router-1", provisioner=None).controller
    world.viewers = {f"r{number}": 2000 for number in range(12)}
    await trio.sleep(20)
    assert first._unserved == set(world.viewers)
    second = world.router("router-2", provisioner=None).controller
    await trio.sleep(20)
    assert first._unserved | second._unserved == set(world.viewers)
    assert not first._unserved & second._unserved
