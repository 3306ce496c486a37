"""What must hold when a simulation has come to rest."""

from collections import Counter
from collections.abc import Iterator, Sequence

import trio

from proto.headers import HeadsHeader
from proto.priorities import Priority
from relay.status import lane_depths
from tests.simulation.harness import Cluster
from tests.simulation.ledger import Ledger
from tests.simulation.members import Member
from tests.simulation.processes import Process

KEPT = ("urgent", "normal")
REST_S = 15.0
"""Virtual seconds after which everything must be where it belongs; a lost link takes three to be
noticed, a client's pause before it reconnects a few more."""
NOTHING_SAID = HeadsHeader("", (0, 0, 0))


async def rest(cluster: Cluster, members: Sequence[Member], within_s: float = REST_S) -> None:
    """Wait until nothing is on its way any more; says what is if that takes too long."""
    deadline = trio.current_time() + within_s
    while unfinished := [*waiting(cluster), *await behind(cluster, members)]:
        assert trio.current_time() < deadline, f"never came to rest: {unfinished}"
        await trio.sleep(0.1)


def waiting(cluster: Cluster) -> Iterator[str]:
    """Name each queue that is not empty."""
    depths = Counter({"bus": cluster.broker.waiting})
    for process in cluster.running.values():
        depths.update({f"{process.name} {what}": n for what, n in _depths(process)})
    yield from (f"{n} in {what}" for what, n in depths.items() if n)


def _depths(process: Process) -> Iterator[tuple[str, int]]:
    if process.mesh is not None:
        yield "requests", len(process.mesh.requests)
        lanes = [lane for each in process.mesh.up.values() for lane in each.lanes]
        yield "lanes", sum(lane.outbox.depth for lane in lanes)
    if process.relay is not None:
        yield "lanes", sum(lane_depths(process.relay).values())
        yield "held", sum(process.relay.holding.held(priority) for priority in Priority)
        yield "requests", len(process.relay.forwarding.admission)
    if process.access is not None:
        yield "pending", sum(process.access.rooms.pending)
        yield "routes", process.access.routes.waiting
        yield "likes", not process.access.likes.idle
        yield "joining", process.access.rooms.joining
    if process.logic is not None:
        yield "outgoing", sum(process.logic.outgoing.depth(priority) for priority in Priority)
        for serving in process.logic.serving.values():
            yield "serving", serving.turns.at_work + serving.turns.waiting


async def behind(cluster: Cluster, members: Sequence[Member]) -> list[str]:
    """Name each member's stream that does not stand at the log's head."""
    active = await cluster.store.room_log.active_heads()
    found = [f"{each.uid} is not connected" for each in members if not each.connected.is_set()]
    for member in members:
        for (room, label), stream in member.streams.items():
            heads = active.get(room, NOTHING_SAID)
            seq = heads.seqs[Priority.of(label)]
            if seq and (stream.epoch, stream.seq) != (heads.epoch, seq):
                found.append(f"{member.uid} {room}/{label} at {stream.seq} of {seq}")
    return found


async def judge(cluster: Cluster, ledger: Ledger, members: Sequence[Member]) -> None:
    """Assert what always holds; call it at `rest`."""
    assert not ledger.amiss, ledger.amiss[:5]
    assert not (missed := list(_missed(ledger, members))), missed[:5]
    assert not (doubled := list(_doubled(members))), doubled[:5]
    assert not (broken := [e for e in cluster.log.entries if e["log_level"] == "error"]), broken[0]
    assert cluster.broker.dead == 0
    for process in cluster.running.values():
        assert process.access is None or process.access.counters.internal_errors == 0
        servings = process.logic.serving.values() if process.logic else ()
        assert not any(serving.broken for serving in servings)
    await _judge_likes(cluster, ledger)


def _missed(ledger: Ledger, members: Sequence[Member]) -> Iterator[str]:
    """Name each acknowledged message that a member should have and has not."""
    for sent in ledger.sent:
        for member in members:
            if sent.sent_at < member.joined_at.get(sent.room, float("inf")):
                continue
            stream = member.streams[sent.room, sent.priority]
            found = stream.seen.get(sent.seq, {}).get("mid")
            if found != sent.mid and not stream.was_told(sent.seq):
                yield f"{member.uid} has {found} for {sent}"


def _doubled(members: Sequence[Member]) -> Iterator[str]:
    for member in members:
        mids = Counter(
            (room, frame["mid"])
            for (room, label), stream in member.streams.items()
            for frame in stream.seen.values()
            if label in KEPT
        )
        yield from (f"{member.uid} saw {mid} {n} times" for mid, n in mids.items() if n > 1)


async def _judge_likes(cluster: Cluster, ledger: Ledger) -> None:
    for room, sent in ledger.likes_sent.items():
        total = await cluster.store.likes.total(room)
        assert ledger.likes_counted.get(room, 0) <= total <= sent, (room, total, sent)
