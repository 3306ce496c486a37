"""Members with something to say: what a simulation's members do until they are told to stop."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from proto.priorities import Priority
from proto.services import Method, PushBody, encode
from tests.gifts import receipt_for
from tests.simulation.harness import Cluster
from tests.simulation.ledger import Ledger
from tests.simulation.members import Member
from tests.simulation.store import now_ms

ROOMS = ("lobby", "den")
UNANSWERED_S = 60.0


def members(cluster: Cluster, ledger: Ledger, count: int) -> list[Member]:
    """Return members who are connected soon, each in one room or in both."""
    found = []
    for number in range(count):
        rooms = [ROOMS[number % 2]] if number % 3 else list(ROOMS)
        member = Member(cluster, ledger, f"user-{number + 1}", rooms)
        cluster.nursery.start_soon(member.live, f"access-{number % cluster.shape.access + 1}")
        found.append(member)
    return found


@asynccontextmanager
async def talking(cluster: Cluster, crowd: Sequence[Member]) -> AsyncIterator[None]:
    """Let everybody talk inside the block; at its end each waits for its last answer."""
    stopping = trio.Event()
    for member in crowd:
        await member.connected.wait()
    async with trio.open_nursery() as nursery:
        for member in crowd:
            nursery.start_soon(_talk, cluster, member, stopping)
        yield
        stopping.set()
        nursery.cancel_scope.deadline = trio.current_time() + UNANSWERED_S
    assert not nursery.cancel_scope.cancelled_caught, "somebody never got an answer"


async def _talk(cluster: Cluster, member: Member, stopping: trio.Event) -> None:
    rng = cluster.rng
    while not stopping.is_set():
        await trio.sleep(rng.uniform(0, 0.4))
        room, dice = rng.choice(member.rooms), rng.random()
        if dice < 0.6:
            await member.say("chat", room, text=f"{rng.random()}")
        elif dice < 0.75:
            await member.say("speech", room, text=f"{rng.random()}")
        elif dice < 0.85:
            rose = {"gift": "rose", "value": rng.choice((1, 5000))}
            receipt = receipt_for(now_ms() / 1000, member.uid, room, **rose)
            await member.say("gift", room, receipt=receipt, **rose)
        elif dice < 0.98:
            await member.like(room, rng.randint(1, 9))
        else:
            member.hang_up()


async def push(cluster: Cluster, mid: str, priority: str = "normal", **target: Any) -> None:
    """Publish as the gateway does for a back end: to `room`, or to `uids`."""
    mesh = cluster.of_role("router")[0].mesh
    assert mesh is not None
    body = encode(PushBody(mid, priority, b'{"from":"a back end"}', **target))
    room = target.get("room", "")
    lane = Priority.of(priority)
    await mesh.request(Method.PUSH, lane, body, room=room, uid="shop", role="server")
