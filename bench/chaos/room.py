"""`relaymesh chaos room`: processes killed with SIGKILL while viewers watch.

Starts a cluster of its own. Publishers send chat, gifts and host speech, each with a `mid` and
repeated until answered; viewers watch through the gateway and resume where they come back. Prints

- `kills`, `killed` (by part), `sent`, `acked`; `resumed`: reconnects of viewers;
- `lost`: acknowledged urgent and normal messages that a viewer did not see, over all viewers;
- `doubled`: messages that a viewer saw twice; `disordered`: those after a later one of the stream;
- `told`: notices of skipped or lost messages and resets that the viewers got;
- `recovery_max_s`: the longest time in which a viewer saw nothing;
- `bus_away_s`, on RocketMQ: how long the broker did not run, for each kill of it;
- `ok`: nothing lost, doubled or out of order, and each asked part was killed.
"""

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import trio

from bench.broker import Broker, script_option
from bench.bus_choice import bus_options, up_options
from bench.chaos.killing import PARTS, Killer, parts_option
from bench.cluster import Cluster, running_cluster
from bench.room import print_result
from relaymesh_client import (
    Client,
    Connected,
    Lost,
    Push,
    RelaymeshError,
    Reset,
    Skipped,
    connect,
    gateway,
)

ROOM = "chaos"
VIEWERS = 12
PUBLISHERS = 4
MESSAGES_PER_PUBLISHER_AND_S = 5.0
CALM_S = 2.0
FINISH_S = 40.0


@dataclass
class Witness:
    """What one viewer saw of the urgent and normal streams."""

    seen: list[tuple[str, str, int, str]] = field(default_factory=list)
    told: int = 0
    connects: int = 0
    last_s: float = 0.0
    longest_silence_s: float = 0.0

    def take(self, event: object, now_s: float) -> None:
        """Take an event of the client."""
        if isinstance(event, Push) and event.priority != "bulk":
            self.seen.append((event.priority, event.epoch, event.seq, event.frame["mid"]))
            if self.last_s:
                self.longest_silence_s = max(self.longest_silence_s, now_s - self.last_s)
            self.last_s = now_s
        elif isinstance(event, Connected):
            self.connects += 1
        elif isinstance(event, Skipped | Lost | Reset) and _priority(event) != "bulk":
            self.told += 1

    def mids(self) -> Counter[str]:
        """Return how often each message was seen."""
        return Counter(mid for *_, mid in self.seen)

    def disordered(self) -> int:
        """Return how many messages came after a later one of their stream."""
        streams: dict[tuple[str, str], list[int]] = {}
        for priority, epoch, seq, _ in self.seen:
            streams.setdefault((priority, epoch), []).append(seq)
        return sum(b <= a for seqs in streams.values() for a, b in itertools.pairwise(seqs))


@dataclass
class Story:
    """All that happened in a run."""

    witnesses: list[Witness] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)
    sent: int = 0
    killed: list[str] = field(default_factory=list)

    def lost(self) -> int:
        """Return how many acknowledged messages have not been seen, over all viewers."""
        return sum(len(self.acked - set(witness.mids())) for witness in self.witnesses)

    def report(self) -> dict[str, Any]:
        """Return what is printed, `ok` aside."""
        witnesses = self.witnesses
        return {
            "kills": len(self.killed),
            "killed": dict(Counter(self.killed)),
            "sent": self.sent,
            "acked": len(self.acked),
            "lost": self.lost(),
            "doubled": sum(w.mids().total() - len(w.mids()) for w in witnesses),
            "disordered": sum(w.disordered() for w in witnesses),
            "told": sum(w.told for w in witnesses),
            "resumed": sum(w.connects - 1 for w in witnesses),
            "recovery_max_s": round(max(w.longest_silence_s for w in witnesses), 2),
        }


async def run(
    parts: list[str], kills: int, seed: int, options: list[str], broker: Broker | None = None
) -> dict[str, Any]:
    """Run the whole story; returns what is printed. `broker` is the bus, where `up` has none."""
    chance, story = random.Random(seed), Story()
    async with running_cluster(*options) as cluster, trio.open_nursery() as nursery:
        killer = Killer(cluster, chance, broker)
        for number in range(VIEWERS):
            await nursery.start(watch, cluster, story, f"viewer-{number}")
        enough = trio.Event()
        async with trio.open_nursery() as publishers:
            for number in range(PUBLISHERS):
                publishers.start_soon(publish, cluster, story, f"host-{number}", enough)
            await trio.sleep(CALM_S)
            await _kill(story, killer, killer.order(parts, kills), chance)
            await trio.sleep(CALM_S)
            enough.set()
        with trio.move_on_after(FINISH_S):
            while story.lost():
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    result = story.report()
    if broker:
        result["bus_away_s"] = broker.away_s
    whole = not (result["lost"] or result["doubled"] or result["disordered"])
    result["ok"] = whole and set(story.killed) == set(parts) and bool(story.acked)
    return result


async def _kill(story: Story, killer: Killer, targets: list[str], chance: random.Random) -> None:
    """Kill the `targets` one after the other; a broker comes back beside further kills."""
    async with trio.open_nursery() as starting:
        for part in targets:
            await killer.kill(part, starting)
            await trio.sleep(chance.uniform(0.8, 2.5))
    story.killed = killer.killed


async def watch(
    cluster: Cluster, story: Story, uid: str, task_status: trio.TaskStatus[None]
) -> None:
    """Watch the room as `uid` for as long as the story lasts."""
    witness = Witness()
    story.witnesses.append(witness)
    token = cluster.token(uid)
    async with connect(gateway(cluster.gateway), token) as client:
        witness.connects = 1
        events = client.events()
        await client.join(ROOM)
        task_status.started()
        async for event in events:
            witness.take(event, trio.current_time())


async def publish(cluster: Cluster, story: Story, uid: str, enough: trio.Event) -> None:
    """Publish to the room as its host `uid` until it is `enough` and all is answered."""
    token = cluster.token(uid, host=[ROOM])
    async with connect(gateway(cluster.gateway), token) as client:
        await client.join(ROOM)
        async with trio.open_nursery() as nursery:
            for number in itertools.takewhile(lambda _: not enough.is_set(), itertools.count()):
                story.sent += 1
                receipt = cluster.receipt(uid, ROOM, "rose", 10) if number % 5 == 1 else ""
                nursery.start_soon(_send, client, story, f"{uid}-{number}", number, receipt)
                await trio.sleep(1 / MESSAGES_PER_PUBLISHER_AND_S)


async def _send(client: Client, story: Story, mid: str, number: int, receipt: str) -> None:
    try:
        if number % 5 == 0:
            await client.speech(ROOM, f"speech {mid}", mid=mid)
        elif number % 5 == 1:
            await client.gift(ROOM, "rose", 10, receipt=receipt, mid=mid)
        else:
            await client.chat(ROOM, f"chat {mid}", mid=mid)
    except RelaymeshError:
        return  # not acknowledged: nothing is owed
    story.acked.add(mid)


def _priority(event: Skipped | Lost | Reset) -> str:
    return event.priority


@click.command()
@parts_option(PARTS)
@click.option("--kills", default=12, show_default=True, type=click.IntRange(1, 1000))
@click.option("--seed", default=1, show_default=True)
@bus_options
@script_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(
    parts: list[str],
    kills: int,
    seed: int,
    bus: str,
    bus_url: str,
    bus_script: Path,
    as_json: bool,
) -> None:
    """Kill parts of a cluster under a live room; nothing acknowledged is lost."""
    broker = Broker(bus_script) if bus == "rocketmq" and "bus" in parts else None
    if broker:
        broker.require(bus_url)
    kills = max(kills, len(parts))
    print_result(trio.run(run, parts, kills, seed, up_options(bus, bus_url), broker), as_json)
