"""Members of hot rooms are moved, each once, in its time, and back."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from access.moves.moves import SOON_S
from access.moves.rules import FRESH_S
from backends.leases.interface import NodeLease
from proto.heat import HeatState, Rule
from proto.resume_tokens import verify_resume
from proto.token_keys import Keyring, hs256
from tests.access.cluster import NOW_MS, SECRET, Client, World

NORMAL, PREPARING, MOVING, HOT, COOLING = HeatState
MakeWorld = Callable[..., World]


def rule(state: HeatState, fence: int, *, room: str = "lobby", spread_ms: int = 4000) -> Rule:
    return Rule(room, state, fence, "p1", spread_ms=spread_ms)


class Nodes:
    """The other nodes of the region: they renew their leases, and the rules are repeated."""

    def __init__(self, world: World, **pools: str) -> None:
        self.world = world
        self.pools = {node.replace("_", "-"): pool for node, pool in pools.items()}
        self.hears = True

    async def run(self) -> None:
        while True:
            for node, pool in self.pools.items():
                status = {"pool": pool}
                url = f"ws://{node}/v1"
                await self.world.store.renew(NodeLease(node, "access", "local", "i", url, status))
            if self.hears:
                for room in self.world.mesh.rules:
                    self.world.mesh.heads(room)
            await trio.sleep(1)

    def say(self, told: Rule) -> None:
        """Let a rule hold from now on, and tell it."""
        self.world.mesh.rules[told.room] = told
        self.world.mesh.heads(told.room)


@pytest.fixture
async def nodes(world: World, nursery: trio.Nursery) -> Nodes:
    found = Nodes(world, hot_1="p1", hot_2="p1", access_2="")
    nursery.start_soon(found.run)
    await world.settle(0.1)
    return found


async def member(world: World, uid: str, *rooms: str, **hello: Any) -> Client:
    client = world.client()
    await client.hello(uid, join=[{"room": room} for room in rooms or ("lobby",)], **hello)
    return client


def moves(client: Client) -> list[dict[str, Any]]:
    return client.pushes("move")


async def test_members_are_told_where_to_go_and_why(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann, bob = await member(world, "ann"), await member(world, "bob", "elsewhere")
    nodes.say(rule(PREPARING, 1))
    await world.settle(5)
    assert not moves(ann)
    nodes.say(rule(MOVING, 2))
    await world.settle(4)
    (move,) = moves(ann)
    assert move["room"] == "lobby"
    assert {each["url"] for each in move["endpoints"]} == {"ws://hot-1/v1", "ws://hot-2/v1"}
    assert 0 <= move["delay_ms"] <= 4000
    assert move["deadline_ms"] == move["delay_ms"] + 10_000
    resume = verify_resume(move["resume"], Keyring([hs256(SECRET)]), NOW_MS / 1000)
    assert (resume.sub, resume.room, resume.pool) == ("ann", "lobby", "p1")
    assert resume.exp < NOW_MS / 1000 + 60
    assert not moves(bob)
    assert world.node.status.now()["moving"] == {"lobby": 1}
    world.edge.hang_up(ann.connection)
    await world.settle(1)
    assert world.node.status.now()["moving"] == {"lobby": 0}


async def test_who_stays_is_closed_after_the_deadline_with_a_code_that_lets_it_come_back(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann = await member(world, "ann")
    nodes.say(rule(MOVING, 1))
    await world.settle(2)
    assert ann.connection.closed_with is None
    await world.settle(15)
    assert len(moves(ann)) == 1
    assert ann.connection.closed_with == 4010
    assert world.node.counters.moves_overdue == 1


async def test_a_crowd_leaves_over_the_time_of_the_rule_and_costs_no_task_each(
    make_world: MakeWorld, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = make_world()
    world.rng = random.Random(7)
    nodes = Nodes(world, hot_1="p1")
    nursery.start_soon(nodes.run)
    crowd = [await member(world, f"user-{n}") for n in range(200)]
    tasks = len(nursery.child_tasks)
    nodes.say(rule(MOVING, 1, spread_ms=20_000))
    told = []
    for _ in range(21):
        await world.settle(1)
        assert len(nursery.child_tasks) <= tasks
        told.append(sum(bool(moves(each)) for each in crowd))
    assert told[0] < 40
    assert 70 < told[9] < 140
    assert told[-1] == 200


async def test_who_joins_a_hot_room_later_is_moved_soon(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    nodes.say(rule(HOT, 5, spread_ms=60_000))
    ann = await member(world, "ann")
    await world.settle(SOON_S + 1)
    assert len(moves(ann)) == 1


@pytest.mark.parametrize("after", [rule(COOLING, 3), rule(NORMAL, 3)])
async def test_a_rule_that_is_taken_back_moves_and_closes_nobody(
    world: World, nodes: Nodes, autojump_clock: MockClock, after: Rule
) -> None:
    ann, bob = await member(world, "ann"), None
    nodes.say(rule(MOVING, 2, spread_ms=1000))
    await world.settle(1.5)
    assert len(moves(ann)) == 1
    bob = await member(world, "bob")
    nodes.say(after)
    nodes.world.mesh.rules["lobby"] = rule(MOVING, 2)  # a late router: an older fence
    await world.settle(20)
    assert not moves(bob)
    assert ann.connection.closed_with is None
    assert world.node.moving.left == 0


async def test_a_rule_that_nobody_repeats_moves_nobody(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann = await member(world, "ann")
    nodes.hears = False
    nodes.pools.clear()
    await world.settle(4)
    nodes.say(rule(MOVING, 1))
    await world.settle(FRESH_S + 1)
    nodes.pools["hot-1"] = "p1"
    await world.settle(5)
    assert not moves(ann)
    world.mesh.heads("lobby")
    await world.settle(5)
    assert len(moves(ann)) == 1


async def test_with_no_node_ready_members_wait(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann = await member(world, "ann")
    nodes.pools.clear()
    await world.settle(4)
    nodes.say(rule(MOVING, 1, spread_ms=500))
    await world.settle(30)
    assert not moves(ann)
    assert ann.connection.closed_with is None
    assert world.node.status.now()["moving"] == {"lobby": 1}
    nodes.pools["hot-3"] = "p1"
    await world.settle(4)
    assert [each["node"] for each in moves(ann)[0]["endpoints"]] == ["hot-3"]


async def test_a_dedicated_node_sends_its_members_back_when_the_room_cools(
    make_world: MakeWorld, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = make_world(pool="p1")
    nodes = Nodes(world, hot_2="p1", access_2="")
    nursery.start_soon(nodes.run)
    nodes.say(rule(HOT, 5))
    ann = await member(world, "ann")
    await world.settle(5)
    assert not moves(ann)
    assert world.node.status.now()["pool"] == "p1"
    nodes.say(rule(COOLING, 6))
    await world.settle(5)
    (move,) = moves(ann)
    assert [each["node"] for each in move["endpoints"]] == ["access-2"]
    assert verify_resume(move["resume"], Keyring([hs256(SECRET)]), NOW_MS / 1000).pool == ""


async def test_a_node_asks_for_the_hot_way_while_the_rule_says_so_and_the_room_is_open(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann = await member(world, "ann")
    wanted = world.mesh.wanted_once
    for fence, state in enumerate((PREPARING, MOVING, HOT, COOLING, NORMAL)):
        nodes.say(rule(state, fence + 1))
        assert wanted == ({"@p1/lobby"} if state.pooled else set())
    nodes.say(Rule("lobby", HOT, 8, "p1"))
    nodes.say(Rule("lobby", HOT, 9, "p2"))
    assert wanted == {"@p2/lobby"}
    world.edge.hang_up(ann.connection)
    await world.settle(60)
    assert wanted == set()


async def test_a_hot_room_opens_behind_its_hot_way(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    nodes.say(rule(HOT, 5))
    asked_before = len(world.mesh.asked)

    async def meanwhile(method: Any) -> None:
        if len(world.mesh.asked) == asked_before + 1:
            assert "@p1/lobby" not in world.mesh.wanted_once
            world.mesh.say("lobby", lost=True)  # after the first heads, before the interest

    world.mesh.before_answer = meanwhile
    ann = await member(world, "ann")
    joined = ann.read()[0]["ok"]["rooms"]["lobby"]
    assert joined["streams"]["normal"]["seq"] == 1
    assert "@p1/lobby" in world.mesh.wanted_once


async def test_a_rule_of_another_room_in_a_rooms_heads_counts_for_nothing(
    world: World, nodes: Nodes, autojump_clock: MockClock
) -> None:
    ann = await member(world, "ann")
    world.mesh.rules["lobby"] = rule(HOT, 1, room="other")
    world.mesh.heads("lobby")
    await world.settle(5)
    assert not moves(ann)
    assert world.mesh.wanted_once == set()
