"""`relaymesh chaos hot-room`: processes killed with SIGKILL while a room moves to its own nodes.

Starts a cluster of its own with two of each role. Viewers come until the room is hot, while host
speech, gifts, chat and likes flow; it moves to dedicated nodes, most viewers leave, and it moves
back. In each of these phases parts are killed, while it is hot a dedicated node among them. Prints

- `states`: the states that the room went through, `phases_s`: how long each lasted;
- `kills`: the parts that were killed, by the state that the room was in;
- `sent`, `acked`: urgent and normal messages; `viewers`, `moved`, `moved_back`;
- `lost`, `doubled`: of these messages, over all viewers that were there; `told`: notices of skipped
  messages and resets of the urgent and normal streams;
- `unexpected`: connections that ended without a `move`, by reason; `refused`: resume tokens that
  were refused;
- `replaced`: how long after its death a dedicated node and all viewers were back (`after_s`), and
  where these were then (`viewers`); empty where none was killed;
- `left_over`: processes of dedicated nodes that ran on after the room was normal;
- `ok`: the room was hot and came back to normal; each asked part was killed, and some part in each
  phase; nothing was lost or doubled; the dead node was replaced, and none was left over.
"""

import itertools
import json
import random
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import click
import trio

from bench.chaos.killing import DEDICATED, Killer, part_of, parts_option
from bench.cluster import Cluster, running_cluster
from bench.hot_room.crowd import Crowd
from bench.hot_room.heat_log import HeatLog, follow, heat_of
from bench.hot_room.senders import Talk, talk
from bench.hot_room.show import ROOM, Show, outcome, settle
from bench.room import print_result

PARTS = ("router", DEDICATED, "access", "relay", "logic", "redis", "bus")
PHASES = ("preparing", "moving", "hot", "cooling")
NODES = ("--access", "2", "--relays", "2", "--routers", "2", "--logics", "2")
DEDICATED_NODES = 3
"""So that the viewers of one that dies can spread."""

HEADROOM = 2
"""Twice the nodes that the threshold needs: all are there from the first, and have viewers."""

HEAT = {"prepare_s": 30, "retry_s": 2, "stragglers_s": 8, "headroom": HEADROOM}

COME_S = 3.0
MOVE_S = 4.0
STAY_SHARE = 0.2
"""Viewers that stay after the show, as a share of the threshold: so few that the room cools."""

MOST_PAUSE_S = 0.7
"""Before each kill, at most; a phase lasts for seconds."""

PHASE_S = 90.0
HEAL_S = 40.0
SETTLE_S = 30.0
LEAVE_S = 40.0
POLL_S = 0.1


def schedule(parts: list[str], chance: random.Random) -> dict[str, list[str]]:
    """Deal `parts` to the phases: some to each, and a dedicated node to `hot` in any case."""
    order = chance.sample(parts, len(parts))
    dealt: dict[str, list[str]] = {phase: [] for phase in PHASES}
    for number in range(max(len(order), len(PHASES))):
        dealt[PHASES[number % len(PHASES)]].append(order[number % len(order)])
    if DEDICATED in parts and DEDICATED not in dealt["hot"]:
        dealt["hot"].append(DEDICATED)
    return dealt


@dataclass
class Run:
    """A run, and what its steps have found."""

    cluster: Cluster
    killer: Killer
    chance: random.Random
    log: HeatLog
    kills: dict[str, list[str]] = field(default_factory=dict)
    replaced: dict[str, Any] = field(default_factory=dict)
    left_over: int = 0

    async def see_through(self, show: Show, crowd: Crowd, parts: list[str]) -> None:
        """Kill in each phase of the room, until it is normal again and its nodes are gone."""
        orders = schedule(parts, self.chance)
        for phase, targets in orders.items():
            if not await self.log.reached(phase, PHASE_S):
                return
            before = restarts(dedicated(self.cluster))
            await self._kill(targets)
            if phase == "hot":
                if DEDICATED in targets:
                    self.replaced = await self._healed(show.viewers, crowd, before)
                await crowd.keep(round(show.threshold * STAY_SHARE))
        await self.log.reached("normal", PHASE_S)
        self.left_over = await self._left_over()

    async def _kill(self, targets: list[str]) -> None:
        """Kill one after the other; what does not run at the moment, when it does again."""
        async with trio.open_nursery() as starting:
            for part in targets:
                await trio.sleep(self.chance.uniform(0.0, MOST_PAUSE_S))
                done = len(self.killer.killed)
                while len(self.killer.killed) == done:
                    await self.killer.kill(part, starting)
                    await trio.sleep(0 if len(self.killer.killed) > done else POLL_S)
                self.kills.setdefault(self.log.state, []).append(part)

    async def _healed(self, viewers: int, crowd: Crowd, restarted: int) -> dict[str, Any]:
        """Wait until a dead dedicated node is back and all viewers are on dedicated ones."""
        began_s = trio.current_time()
        with trio.move_on_after(HEAL_S):
            while not await self._is_healed(viewers, crowd, restarted):
                await trio.sleep(POLL_S)
            after_s = round(trio.current_time() - began_s, 1)
            return {"after_s": after_s, "viewers": dict(crowd.at)}
        return {}

    async def _is_healed(self, viewers: int, crowd: Crowd, restarted: int) -> bool:
        nodes = dedicated(self.cluster)
        if restarts(nodes) == restarted or not all(node["ready"] for node in nodes.values()):
            return False
        heat = await heat_of(self.cluster, ROOM)
        ready = sum(node["ready"] for node in heat.get("nodes", ()))
        there = sum(count for node, count in crowd.at.items() if part_of(node) == DEDICATED)
        return bool(ready) and ready >= heat["nodes_wanted"] and there == viewers

    async def _left_over(self) -> int:
        with trio.move_on_after(LEAVE_S):
            while dedicated(self.cluster):
                await trio.sleep(POLL_S)
        return len(dedicated(self.cluster))


def dedicated(cluster: Cluster) -> dict[str, Any]:
    """Return what the cluster says of its dedicated nodes."""
    nodes = json.loads((cluster.state_dir / "cluster.json").read_text())["nodes"]
    return {name: node for name, node in nodes.items() if part_of(name) == DEDICATED}


def restarts(nodes: dict[str, Any]) -> int:
    """Return how often `nodes` have been started again."""
    return sum(int(node["restarts"]) for node in nodes.values())


async def run(parts: list[str], viewers: int, seed: int) -> dict[str, Any]:
    """Run the whole story; returns what is printed."""
    per_s = HEADROOM * viewers / MOVE_S
    # The cluster keeps three standard deviations below the rate: with them all move in MOVE_S.
    show = Show(viewers, viewers // 2, COME_S, round(per_s + 3 * sqrt(per_s)), DEDICATED_NODES)
    story, log, chance = Talk(ROOM), HeatLog(), random.Random(seed)
    flags = [*show.settings(**HEAT), "--set", "access.drain_s=1"]
    async with running_cluster(*NODES, *flags) as cluster, trio.open_nursery() as nursery:
        this = Run(cluster, Killer(cluster, chance), chance, log)
        await nursery.start(talk, cluster, story)
        async with show.crowd(cluster) as crowd:
            nursery.start_soon(follow, cluster, ROOM, crowd, log)
            await this.see_through(show, crowd, parts)
            await settle(story, SETTLE_S)
            await crowd.end()
        nursery.cancel_scope.cancel()
    return report(this, outcome(story, crowd, log) | {"viewers": viewers}, parts)


def report(this: Run, seen: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    """Return what is printed."""
    found = {"kills": this.kills, "replaced": this.replaced, "left_over": this.left_over}
    states, killed = seen["states"], set(itertools.chain.from_iterable(this.kills.values()))
    complete = killed == set(parts) and set(PHASES) <= this.kills.keys()
    went = "hot" in states and states[-1] == "normal" and seen["moved"] > 0
    replaced = DEDICATED not in parts or len(this.replaced.get("viewers", ())) > 1
    clean = not (seen["lost"] or seen["doubled"] or this.left_over)
    return {**seen, **found, "ok": complete and went and replaced and clean}


@click.command("hot-room")
@click.option("--viewers", default=150, show_default=True, type=click.IntRange(60, 5000))
@parts_option(PARTS, PARTS)
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(viewers: int, parts: list[str], seed: int, as_json: bool) -> None:
    """Kill parts of a cluster while a room moves; nothing acknowledged is lost."""
    print_result(trio.run(run, parts, viewers, seed), as_json)
