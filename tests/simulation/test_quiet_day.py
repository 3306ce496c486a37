"""Nothing breaks: everybody gets everything at once, in order, and the counts are exact."""

from typing import Any

import trio

from logic.node import Logic
from proto.headers import RequestHeader
from proto.priorities import Priority
from proto.services import Method, PushBody, encode
from router.plan import Mode
from tests.simulation.crowd import ROOMS, members, push, talking
from tests.simulation.harness import Cluster, simulate
from tests.simulation.ledger import Ledger
from tests.simulation.members import Member
from tests.simulation.verdict import judge, rest

FLOOD = 400
"""Far more than fits into the windows of the links."""
TOTALS_S = 3.0
"""A census a second, then a push a second."""


def test_members_of_several_rooms_on_several_nodes_get_everything_once_and_in_order() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        people = members(cluster, ledger, 9)
        async with talking(cluster, people):
            await trio.sleep(6)
        await trio.sleep(TOTALS_S)
        await rest(cluster, people)
        await judge(cluster, ledger, people)
        assert {member.node for member in people} == {"access-1", "access-2", "access-3"}
        for member in people:
            for stream in member.streams.values():
                assert list(stream.seen) == list(range(stream.start + 1, stream.seq + 1))
                assert not stream.told
        for room in ROOMS:
            inside = [member for member in people if room in member.rooms]
            assert len(_seen(inside[0], room, "urgent")) > 10
            assert len(_seen(inside[0], room, "normal")) > 50
            for member in inside:
                bulk = _seen(member, room, "bulk")
                assert [f for f in bulk if f["push"] == "online"][-1]["online"] == len(inside)
                assert [f for f in bulk if f["push"] == "likes"][-1]["total"] == (
                    ledger.likes_sent[room]
                )
            assert ledger.likes_counted[room] == ledger.likes_sent[room]

    simulate(1, main)


def test_what_is_said_after_a_joins_answer_reaches_who_joined() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        (speaker,) = members(cluster, ledger, 1)
        late = [Member(cluster, ledger, f"late-{n}", ["lobby"]) for n in range(20)]
        async with talking(cluster, [speaker]):
            for number, member in enumerate(late):
                cluster.nursery.start_soon(member.live, f"access-{number % 3 + 1}")
                await member.connected.wait()
                first = await speaker.say("chat", "lobby", text="just for you")
                assert first.seq > member.streams["lobby", "normal"].start
        await rest(cluster, [speaker, *late])
        await judge(cluster, ledger, [speaker, *late])

    simulate(2, main)


def test_history_comes_first_and_a_resume_on_another_node_misses_nothing() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        (speaker,) = members(cluster, ledger, 1)
        await speaker.connected.wait()
        for number in range(10):
            await speaker.say("chat", "lobby", text=f"{number}")
        guest = Member(cluster, ledger, "guest", ["lobby"], history=4)
        first_life = trio.CancelScope()
        cluster.nursery.start_soon(_live_within, first_life, guest, "access-2")
        await guest.connected.wait()
        await rest(cluster, [speaker, guest])
        assert [f["text"] for f in _seen(guest, "lobby", "normal")] == ["6", "7", "8", "9"]
        guest.hang_up()
        first_life.cancel()
        for number in range(10, 15):
            await speaker.say("chat", "lobby", text=f"{number}")
        cluster.nursery.start_soon(guest.live, "access-3")
        await guest.connected.wait()
        await rest(cluster, [speaker, guest])
        await judge(cluster, ledger, [speaker, guest])
        texts = [f["text"] for f in _seen(guest, "lobby", "normal")]
        assert texts == [str(number) for number in range(6, 15)]

    simulate(3, main)


def test_a_push_to_users_reaches_each_once_precisely_or_as_a_broadcast() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        people = members(cluster, ledger, 9)
        for member in people:
            await member.connected.wait()
        await push(cluster, "one", uids=["user-4"])
        await push(cluster, "all", "urgent", uids=[member.uid for member in people])
        await rest(cluster, people)
        routed = dict.fromkeys(Mode, 0)
        for process in cluster.of_role("router"):
            assert process.router is not None
            for mode, count in process.router.counters.routed.items():
                routed[mode] += count
        assert (routed[Mode.PRECISE], routed[Mode.BROADCAST]) == (1, 1)
        for member in people:
            expected = ["one", "all"] if member.uid == "user-4" else ["all"]
            assert sorted(f["mid"] for f in member.direct) == sorted(expected)

    simulate(4, main)


def test_urgent_passes_normal_and_bulk_lanes_that_nobody_reads() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        people = members(cluster, ledger, 6)
        for member in people:
            await member.connected.wait()
        lanes = [
            f"tcp://{relay}:{7730 + lane}"
            for relay in cluster.addresses
            for lane in (Priority.NORMAL, Priority.BULK)
        ]
        for lane in lanes:
            cluster.network.stall(lane)
        await _flood(cluster)
        for _ in range(5):
            said = await people[0].say("speech", "lobby", text="now")
            await trio.sleep(0.05)
            for member in people:
                if "lobby" in member.rooms:
                    assert member.streams["lobby", "urgent"].seq == said.seq
        assert all(member.streams["lobby", "normal"].seq == 0 for member in people[::2])
        for lane in lanes:
            cluster.network.release(lane)
        await rest(cluster, people)
        await judge(cluster, ledger, people)
        assert all(member.streams["lobby", "normal"].seq == FLOOD for member in people[::2])

    simulate(5, main)


async def _flood(cluster: Cluster) -> None:
    """Put far more on normal and bulk than a window holds, straight into logic's hands."""
    process = cluster.of_role("logic")[0]
    assert process.logic is not None
    async with trio.open_nursery() as nursery:
        for number in range(FLOOD):
            for priority in ("normal", "bulk"):
                nursery.start_soon(_publish, process.logic, f"{priority}-{number}", priority)


async def _publish(logic: Logic, mid: str, priority: str) -> None:
    header = RequestHeader(1, "router-1", "", Method.PUSH, 2000, role="server", room="lobby")
    await logic.dispatch.handle(header, encode(PushBody(mid, priority, b"{}", "lobby")))


async def _live_within(scope: trio.CancelScope, member: Member, node: str) -> None:
    with scope:
        await member.live(node)


def _seen(member: Member, room: str, label: str) -> list[dict[str, Any]]:
    return list(member.streams[room, label].seen.values())
