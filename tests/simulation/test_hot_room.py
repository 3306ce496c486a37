"""A room becomes hot and cools down again while its people talk: to dedicated nodes and back."""

from collections.abc import Callable, Sequence

import pytest
import trio

from proto.heat import HeatState, Wish
from tests.simulation.crowd import members, talking
from tests.simulation.faults import (
    Fault,
    cut_a_lane,
    freeze_a_lane,
    freeze_a_node,
    happen,
    kill_a_relay,
    kill_a_router,
)
from tests.simulation.harness import Cluster, Shape, simulate
from tests.simulation.ledger import Ledger
from tests.simulation.members import Member
from tests.simulation.verdict import judge, rest

ROOM = "lobby"
STATE_S = 60.0
"""Virtual seconds within which a room must get from one state to another."""


async def provide(cluster: Cluster) -> None:
    """The other side of the provisioner: starts dedicated nodes, and kills those given back."""
    while True:
        wanted = {
            f"access-{pool}-{number}": pool
            for pool, nodes in cluster.pools.pools.items()
            for number in range(1, nodes + 1)
        }
        for process in cluster.of_role("access"):
            if process.pool and process.name not in wanted:
                cluster.kill(process.name)
        for name, pool in wanted.items():
            if name not in cluster.running:
                cluster.start(name, pool)
        await trio.sleep(0.5)


async def state(cluster: Cluster) -> HeatState:
    kept = await cluster.store.heat.load(ROOM)
    return kept.rule.state if kept is not None else HeatState.NORMAL


async def until(cluster: Cluster, wanted: HeatState, wish: Wish) -> None:
    await cluster.store.heat.wish(ROOM, wish)
    with trio.move_on_after(STATE_S) as waited:
        while await state(cluster) is not wanted:
            await trio.sleep(0.2)
    assert not waited.cancelled_caught, f"still {await state(cluster)}"


async def until_all(what: Callable[[], bool]) -> None:
    with trio.fail_after(STATE_S):
        while not what():
            await trio.sleep(0.2)


def dedicated(cluster: Cluster) -> set[str]:
    return {process.name for process in cluster.of_role("access") if process.pool}


async def up_and_down(cluster: Cluster, people: Sequence[Member], faults: Sequence[Fault]) -> None:
    """Let the room become hot, wait until all its members have moved, and let it cool down."""
    inside = [member for member in people if ROOM in member.rooms and not member.stubborn]
    await until(cluster, HeatState.HOT, Wish.HOT)
    await happen(cluster, faults)
    await until_all(lambda: all(member.node in dedicated(cluster) for member in inside))
    stubborn = [member for member in people if member.stubborn]
    await until_all(lambda: all(4010 in member.close_codes for member in stubborn))
    await until(cluster, HeatState.NORMAL, Wish.COOL)
    await until_all(lambda: not any(member.node in dedicated(cluster) for member in people))


WHOLE = Shape()
SMALL = Shape(access=1, routers=1, logic=1)


def run(
    seed: int,
    faults: Sequence[Fault],
    *,
    crowd: int = 9,
    stubborn: bool = False,
    shape: Shape = WHOLE,
) -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        cluster.nursery.start_soon(provide, cluster)
        people = members(cluster, ledger, crowd)
        people[0].stubborn = stubborn

        async with talking(cluster, people), trio.open_nursery() as nursery:
            nursery.start_soon(happen, cluster, faults)
            await up_and_down(cluster, people, faults)
        await rest(cluster, people)
        await judge(cluster, ledger, people)
        moved = [member for member in people if ROOM in member.rooms and not member.stubborn]
        for member in moved:
            assert member.moves
        for member in people:
            if ROOM not in member.rooms:
                assert all(order.get("room") != ROOM for order in member.moves)
        urgent = {sent.priority for sent in ledger.sent if sent.room == ROOM}
        assert urgent >= {"urgent", "normal"}

    simulate(seed, main, shape)


def test_a_room_moves_to_dedicated_nodes_and_back_and_nothing_is_lost_or_doubled() -> None:
    run(1, [cut_a_lane], crowd=4, shape=SMALL)


@pytest.mark.cluster_long
def test_who_does_not_know_what_a_move_is_loses_nothing_either() -> None:
    run(2, [], stubborn=True)


@pytest.mark.cluster_long
@pytest.mark.parametrize("seed", [3, 4])
def test_a_room_moves_while_links_lose_what_they_carry_and_nodes_die(seed: int) -> None:
    run(seed, [cut_a_lane, freeze_a_lane, freeze_a_node, kill_a_relay, kill_a_router])
