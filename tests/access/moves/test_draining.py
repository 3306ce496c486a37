"""A node that ends sends its clients to others of its kind."""

import random
from collections.abc import Callable
from typing import Any

import trio
from trio.testing import MockClock

from backends.leases.interface import NodeLease
from proto.heat import HeatState, Rule
from proto.resume_tokens import verify_resume
from proto.services import Method
from proto.token_keys import Keyring, hs256
from tests.access.cluster import NOW_MS, SECRET, Client, World

MakeWorld = Callable[..., World]
WITHIN_S = 10.0


async def other(world: World, node: str, pool: str = "", **status: Any) -> None:
    fields = {"pool": pool, **status}
    await world.store.renew(NodeLease(node, "access", "local", "i", f"ws://{node}/v1", fields))


async def drained(world: World, crowd: list[Client]) -> tuple[bool, list[float]]:
    """Drain, with clients that go when they are told to; returns when each was told."""
    told: list[float] = []
    outcome: list[bool] = []

    async def drain() -> None:
        outcome.append(await world.node.moving.drain(WITHIN_S))

    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        nursery.start_soon(drain)
        while not outcome:
            await world.settle(0.1)
            for client in crowd:
                if client.pushes("move") and client.connection in world.edge.connections:
                    told.append(trio.current_time() - began)
                    world.edge.hang_up(client.connection)
    return outcome[0], told


async def test_clients_are_moved_with_jitter_and_the_drain_ends_with_the_last(
    world: World, autojump_clock: MockClock
) -> None:
    world.rng = random.Random(7)
    await other(world, "access-2")
    await other(world, "hot-1", "p1")
    crowd = [world.client() for _ in range(50)]
    for number, client in enumerate(crowd):
        await client.hello(f"user-{number}", join=[{"room": "lobby"}] if number % 2 else [])
    moved, told = await drained(world, crowd)
    assert moved
    assert len(told) == 50
    assert told[24] > 1
    assert told[-1] <= WITHIN_S / 2 + 0.2
    for client in crowd:
        (move,) = client.pushes("move")
        assert "room" not in move
        assert [each["node"] for each in move["endpoints"]] == ["access-2"]
        resume = verify_resume(move["resume"], Keyring([hs256(SECRET)]), NOW_MS / 1000)
        assert (resume.room, resume.pool) == ("", "")


async def test_who_stays_is_closed_with_a_code_that_lets_it_come_back(
    world: World, autojump_clock: MockClock
) -> None:
    await other(world, "access-2")
    ann = world.client()
    await ann.hello("ann")
    assert await world.node.moving.drain(WITHIN_S)
    world.edge.settle()
    assert len(ann.pushes("move")) == 1
    assert ann.connection.closed_with == 4010


async def test_without_another_node_nobody_is_moved(
    world: World, autojump_clock: MockClock
) -> None:
    await other(world, "access-2", draining=True)
    await other(world, "hot-1", "p1")
    ann = world.client()
    await ann.hello("ann")
    assert not await world.node.moving.drain(WITHIN_S)
    assert not ann.pushes("move")
    assert ann.connection.closed_with is None


async def test_a_dedicated_node_moves_its_clients_within_the_pool_and_they_stay_pinned(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(pool="p1")
    world.mesh.rules["lobby"] = Rule("lobby", HeatState.HOT, 3, "p1")
    await other(world, "access-2")
    await other(world, "hot-2", "p1")
    ann = world.client()
    await ann.hello("ann", join=[{"room": "lobby"}])
    ann.connection.state.pinned = "lobby"
    await drained(world, [ann])
    (move,) = ann.pushes("move")
    assert [each["node"] for each in move["endpoints"]] == ["hot-2"]
    resume = verify_resume(move["resume"], Keyring([hs256(SECRET)]), NOW_MS / 1000)
    assert (resume.room, resume.pool) == ("lobby", "p1")


async def test_the_last_node_of_a_pool_sends_its_clients_to_ordinary_ones(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(pool="p1")
    await other(world, "access-2")
    ann = world.client()
    await ann.hello("ann")
    await drained(world, [ann])
    (move,) = ann.pushes("move")
    assert [each["node"] for each in move["endpoints"]] == ["access-2"]
    assert verify_resume(move["resume"], Keyring([hs256(SECRET)]), NOW_MS / 1000).pool == ""


async def test_a_draining_node_sends_away_members_too_whose_room_leads_elsewhere(
    world: World, autojump_clock: MockClock
) -> None:
    await other(world, "access-2")
    await other(world, "hot-1", "p1")
    ann = world.client()
    await ann.hello("ann", join=[{"room": "lobby"}])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.node.moving.drain, WITHIN_S)
        for _ in range(6):
            world.node.moving.rules.learn(Rule("lobby", HeatState.HOT, 3, "p1", spread_ms=1000))
            await world.settle(1)
    (move,) = ann.pushes("move")
    assert "room" not in move


async def test_what_clients_have_asked_is_finished_though_they_have_gone(
    world: World, autojump_clock: MockClock
) -> None:
    ann, answered = world.client(), trio.Event()
    await ann.hello("ann", join=[{"room": "lobby"}])

    async def wait(_: Method) -> None:
        await answered.wait()

    world.mesh.before_answer = wait
    ann.send("chat", room="lobby", text="on my way")
    await world.settle(0.1)
    world.edge.hang_up(ann.connection)
    with trio.move_on_after(1) as too_soon:
        await world.node.replies.finished()
    assert too_soon.cancelled_caught
    answered.set()
    with trio.fail_after(1):
        await world.node.replies.finished()
    assert len(world.mesh.log("lobby").frames[1]) == 1
