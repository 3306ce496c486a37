"""`relaymesh bench storm`: everybody connects at once while a room goes on.

Starts a cluster of its own, the access node on one core, all else and the load on the other. First
the viewers alone, then `connects` clients that all connect, say hello and join in the same moment;
those sent away do not come back. They join a room of their own, as otherwise the larger room would
be measured too. Prints

- `viewers`, `rate` (messages a second), `connects`: the load;
- `before`, `during`: `{"p50_ms", "p99_ms", "deliveries"}` of reading viewers, from before the
  sender's request to the decoded push; `during` lasts until the storm is answered;
- `admitted`: hello and join answered; `refused`: 503 with Retry-After; `others`: reset, closed or
  not answered at all, by what happened;
- `admitted_per_s`, `seconds`: until the last of them was answered; `retry_after_s`: the least, the
  mean and the most that a refused client was told;
- `lost`: of the viewers, messages owed that did not arrive in order;
- `ok`: none of `others`, nothing lost, somebody admitted.
"""

import itertools
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any

import click
import msgspec
import trio

from bench.cluster import Cluster, pin_apart, running_cluster
from bench.crowd import Crowd, Viewer, quantile
from bench.room import hello, print_result
from bench.storm_child import Orders, Outcome

ROOM = "stage"
CROWDED_ROOM = "crowded"
READERS = 40
PUSH = b'"push":"chat"'
STORMERS = 2
"""Processes: each holds its part within the usual limit of open files."""

WARM_UP_S = 2.0
LIMIT_S = 40.0
TOKEN_BYTES = 100


@dataclass
class Phase:
    """What reading viewers received, and when."""

    latencies_ms: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return what is printed of it."""
        latencies = sorted(self.latencies_ms)
        return {
            "p50_ms": round(quantile(latencies, 0.5), 1),
            "p99_ms": round(quantile(latencies, 0.99), 1),
            "deliveries": len(latencies),
        }


@dataclass
class Room:
    """The steady room: who watches, and what arrived at those who read."""

    phase: Phase = field(default_factory=Phase)
    seqs: dict[Viewer, list[int]] = field(default_factory=dict)

    def received(self, viewer: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one message of a reading viewer."""
        now_ns = time.monotonic_ns()
        for frame in frames:
            if frame.get("push") == "chat":
                self.seqs.setdefault(viewer, []).append(frame["seq"])
                sent_ns = int(frame["text"].split()[0])
                self.phase.latencies_ms.append((now_ns - sent_ns) / 1e6)

    def lost(self) -> int:
        """Return how many messages are missing between the first and the last of each reader."""
        return sum(
            later != earlier + 1
            for seqs in self.seqs.values()
            for earlier, later in itertools.pairwise(seqs)
        )


async def measure(viewers: int, rate: float, connects: int, before_s: float) -> dict[str, Any]:
    """Run it; returns what is printed."""
    node_cores, load_cores = pin_apart()
    if load_cores is not None:
        os.sched_setaffinity(0, load_cores)
    async with running_cluster("--access", "1", "--relays", "1", cores=load_cores) as cluster:
        if node_cores is not None:
            _move(cluster.pids()["access-1"], node_cores)
        room = Room()
        crowd = Crowd(PUSH, room.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster, viewers)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.read)
            nursery.start_soon(_talk, crowd.viewers[0], rate)
            await trio.sleep(WARM_UP_S)
            before = room.phase = Phase()
            await trio.sleep(before_s)
            storm = [await _stormer(cluster, n, connects // STORMERS) for n in range(STORMERS)]
            during = room.phase = Phase()
            outcome = await _let_loose(storm)
            room.phase = Phase()
            nursery.cancel_scope.cancel()
        crowd.close()
    lost = room.lost()
    return {
        "viewers": viewers,
        "rate": rate,
        "connects": connects // STORMERS * STORMERS,
        "before": before.figures(),
        "during": during.figures(),
        **_told(outcome),
        "lost": lost,
        "ok": not outcome.others and not lost and outcome.admitted > 0,
    }


def _move(pid: int, cores: set[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def _connect(crowd: Crowd, cluster: Cluster, viewers: int) -> None:
    def hellos(name: str, count: int) -> Iterator[bytes]:
        return (hello(cluster.token(f"{name}-{number}"), ROOM) for number in range(count))

    crowd.connect(cluster.access, hellos("reader", min(READERS, viewers)), reading=True)
    crowd.connect(cluster.access, hellos("viewer", max(0, viewers - READERS)))


async def _talk(speaker: Viewer, rate: float) -> None:
    """Say something at a steady rate until cancelled."""
    start = trio.current_time()
    for number in itertools.count(1):
        await trio.sleep_until(start + number / rate)
        text = f"{time.monotonic_ns()} {'x' * TOKEN_BYTES}"
        request = {"op": "chat", "id": number, "room": ROOM, "text": text}
        speaker.send(msgspec.json.encode(request))


async def _stormer(cluster: Cluster, number: int, connects: int) -> trio.Process:
    """Start a process and wait until it has made all that it will say."""
    orders = Orders(cluster.access[0], cluster.secret(), CROWDED_ROOM, number, connects, LIMIT_S)
    command = [sys.executable, "-m", "bench.storm_child", msgspec.json.encode(orders).decode()]
    process: trio.Process = await trio.lowlevel.open_process(command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    await process.stdout.receive_some()
    return process


async def _let_loose(storm: list[trio.Process]) -> Outcome:
    outcomes: list[Outcome] = []

    async def one(process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send_all(b"go\n")
        answer = b"".join([part async for part in process.stdout])
        await process.wait()
        outcomes.append(msgspec.json.decode(answer, type=Outcome))

    async with trio.open_nursery() as nursery:
        for process in storm:
            nursery.start_soon(one, process)
    return sum(outcomes[1:], outcomes[0])


def _told(outcome: Outcome) -> dict[str, Any]:
    told = outcome.retry_after_s
    return {
        "admitted": outcome.admitted,
        "refused": len(told),
        "others": outcome.others,
        "seconds": round(outcome.seconds, 2),
        "admitted_per_s": round(outcome.admitted / outcome.seconds),
        "retry_after_s": [min(told), round(sum(told) / len(told), 1), max(told)] if told else [],
    }


@click.command()
@click.option("--viewers", default=1000, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--rate", default=20.0, show_default=True, type=click.FloatRange(1, 30))
@click.option("--connects", default=20_000, show_default=True, type=click.IntRange(2, 30_000))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(1, 60))
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(viewers: int, rate: float, connects: int, seconds: float, as_json: bool) -> None:
    """Let a crowd connect at once, and look at those who are connected."""
    print_result(trio.run(measure, viewers, rate, connects, seconds), as_json)
