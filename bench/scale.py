"""`relaymesh bench scale`: a small deployment for real, beside what the simulation says of it.

Starts a cluster of its own, connects viewers to rooms of the same sizes as `relaymesh simulate` has
them, shuffled over the nodes, and lets them chat, give gifts and like at the same rates. Instant
messages there are none. Everything shares the machine's cores. Prints

- `deployment`: what was started; `seconds`: for how long it was measured;
- `real` and `simulated`, with the same keys:
  - `links`: held, logic's included;
  - `messages_per_s`: room messages of all priorities;
  - `copies`: for each of them, `router_relay`, `relay_access` and `access_client`; `heads_per_s`:
    heads from routers to relays;
  - `load`: the share of a core that one node of each role took (`store`: both Redis servers);
  - `latency_ms`: `{"p50", "p99"}` of chat, from before the sender's request to a reading viewer;
- `ok`: the links are the same, and copies within a tenth.
"""

import random
import time
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import click
import msgspec
import trio

from bench.cluster import Cluster, receipt_for, running_cluster
from bench.crowd import Crowd, Viewer, quantile
from bench.room import hello, print_result
from simulation.deployment import Deployment
from simulation.rooms import rooms
from simulation.run import simulate
from simulation.traffic import rates

READERS = 60
URGENT_VALUE = 1000
WARM_UP_S = 5.0
NEAR = 0.1
"""How far measured copies may be from reckoned ones: messages come at random."""

_TEXT_BYTES = 176
_COUNTERS = {
    "messages": ("router", "relaymesh_router_consumed_total", ("urgent", "normal", "bulk")),
    "router_relay": ("router", 'relaymesh_router_envelopes_total{mode="room"}', ()),
    "heads": ("router", "relaymesh_router_heads_sent_total", ()),
    "relay_access": ("access", "relaymesh_access_room_messages_total", ()),
    "access_client": ("access", "relaymesh_access_deliveries_total", ()),
}


@dataclass
class Talk:
    """Who is where, and what the readers have read."""

    deployment: Deployment
    random: random.Random
    receipt_secret: str
    by_room: dict[str, list[tuple[str, Viewer]]] = field(default_factory=dict)
    """The viewers of each room, with their uids."""
    latencies_ms: list[float] = field(default_factory=list)
    measuring: bool = False
    sent: int = 0

    def received(self, _: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one message of a reading viewer."""
        now_ns = time.monotonic_ns()
        for frame in frames:
            if self.measuring and frame.get("push") == "chat":
                self.latencies_ms.append((now_ns - int(frame["text"].split()[0])) / 1e6)

    async def go_on(self) -> None:
        """Chat, give and like at random in all rooms, until cancelled."""
        events = list(self._events())
        sums = list(accumulate(rate for rate, _, _ in events))
        at = trio.current_time()
        while True:
            at += self.random.expovariate(sums[-1])
            await trio.sleep_until(at)
            _, kind, room = events[bisect(sums, self.random.random() * sums[-1])]
            uid, viewer = self.random.choice(self.by_room[room])
            if not viewer.gone:
                viewer.send(self._frame(kind, room, uid))

    def _events(self) -> Iterator[tuple[float, str, str]]:
        for room, viewers in self.by_room.items():
            its = rates(self.deployment, len(viewers))
            yield its.normal, "chat", room
            yield its.urgent, "gift", room
            yield its.like_frames, "like", room

    def _frame(self, kind: str, room: str, uid: str) -> bytes:
        self.sent += 1
        frame: dict[str, Any] = {"op": kind, "id": self.sent, "room": room}
        text = f"{time.monotonic_ns()} ".ljust(_TEXT_BYTES, "x")
        if kind == "chat":
            frame["text"] = text
        elif kind == "gift":
            receipt = receipt_for(self.receipt_secret, uid, room, "rose", URGENT_VALUE)
            frame |= {"gift": "rose", "value": URGENT_VALUE, "text": text, "receipt": receipt}
        return msgspec.json.encode(frame)


async def measure(deployment: Deployment, seconds: float) -> dict[str, Any]:
    """Run the deployment, and reckon it; returns what is printed."""
    options = [
        ("--access", deployment.access),
        ("--routers", deployment.routers),
        ("--relays", deployment.relays_per_region),
        ("--logics", deployment.logic_nodes),
    ]
    words = [str(word) for option in options for word in option]
    async with running_cluster(*words) as cluster:
        secret = cluster.secret("receipt_secret")
        talk = Talk(deployment, random.Random(deployment.seed), secret)
        crowd = Crowd(b'"push":"chat"', talk.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster, talk)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.read)
            nursery.start_soon(crowd.stay_alive)
            nursery.start_soon(talk.go_on)
            real = await _real(cluster, talk, seconds)
            nursery.cancel_scope.cancel()
        crowd.close()
    reckoned = _reckoned(deployment)
    return {
        "deployment": msgspec.structs.asdict(deployment),
        "seconds": seconds,
        "real": real,
        "simulated": reckoned,
        "ok": agree(real, reckoned),
    }


def _connect(crowd: Crowd, cluster: Cluster, talk: Talk) -> None:
    deployment = talk.deployment
    sized = rooms(deployment.clients, deployment.room_count, deployment.zipf, talk.random)
    places = [room.name for room in sized for _ in range(room.viewers)]
    talk.random.shuffle(places)

    def hellos(rooms: Sequence[str], first: int) -> Iterator[bytes]:
        for number, room in enumerate(rooms, first):
            yield hello(cluster.token(f"viewer-{number}"), room)

    viewers = crowd.connect(cluster.access, hellos(places[:READERS], 0), reading=True)
    viewers += crowd.connect(cluster.access, hellos(places[READERS:], READERS))
    for number, (viewer, room) in enumerate(zip(viewers, places, strict=True)):
        talk.by_room.setdefault(room, []).append((f"viewer-{number}", viewer))


async def _real(cluster: Cluster, talk: Talk, seconds: float) -> dict[str, Any]:
    await trio.sleep(WARM_UP_S)
    before, cpu, began = await _counts(cluster), cluster.cpu_s(), time.monotonic()
    talk.measuring = True
    await trio.sleep(seconds)
    talk.measuring = False
    after, used, took_s = await _counts(cluster), cluster.cpu_s(), time.monotonic() - began
    counts = {name: after[name] - before[name] for name in after}
    status = await cluster.status()
    nodes = {role: sum(name.startswith(role) for name in cluster.pids()) for role in used}
    shares = {
        role: (used[role] - cpu.get(role, 0.0)) / took_s / (1 if role == "redis" else nodes[role])
        for role in used
    }
    shares["store"] = shares.pop("redis", 0.0)
    latencies = sorted(talk.latencies_ms)
    return {
        "links": status["links"]["held"],
        "messages_per_s": round(counts["messages"] / took_s, 1),
        "copies": {
            tier: round(counts[tier] / max(1, counts["messages"]), 2)
            for tier in ("router_relay", "relay_access", "access_client")
        },
        "heads_per_s": round(counts["heads"] / took_s),
        "load": {role: round(share, 3) for role, share in sorted(shares.items())},
        "latency_ms": {
            "p50": round(quantile(latencies, 0.5), 1),
            "p99": round(quantile(latencies, 0.99), 1),
        },
    }


async def _counts(cluster: Cluster) -> dict[str, float]:
    found = {role: await cluster.metrics(role) for role in ("router", "access")}
    return {
        name: sum(
            value
            for key, value in found[role].items()
            if key.startswith(metric) and (not labels or any(f'"{each}"' in key for each in labels))
        )
        for name, (role, metric, labels) in _COUNTERS.items()
    }


def _reckoned(deployment: Deployment) -> dict[str, Any]:
    result = simulate(deployment)
    copies, load = result["copies"], result["load"]
    return {
        "links": result["links"]["held"] + result["links"]["logic"],
        "messages_per_s": copies["messages_per_s"],
        "copies": {
            tier: round(copies["per_message"][tier], 2)
            for tier in ("router_relay", "relay_access", "access_client")
        },
        "heads_per_s": copies["heads_per_s"]["router_relay"],
        "load": {
            role: load[role]["share"] for role in ("access", "logic", "relay", "router", "store")
        },
        "latency_ms": result["latency_ms"]["normal"],
    }


def agree(real: dict[str, Any], reckoned: dict[str, Any]) -> bool:
    """Say whether links are the same, and copies near."""
    return real["links"] == reckoned["links"] and all(
        abs(real["copies"][tier] - copies) <= NEAR * copies
        for tier, copies in reckoned["copies"].items()
    )


@click.command()
@click.option("--clients", default=2000, show_default=True, type=click.IntRange(100, 15_000))
@click.option("--access", default=4, show_default=True, type=click.IntRange(1, 8))
@click.option("--routers", default=2, show_default=True, type=click.IntRange(1, 4))
@click.option("--relays", default=2, show_default=True, type=click.IntRange(1, 4))
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1, 600))
@click.option("--seed", default=1, show_default=True, help="Of who is where and says what.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(
    clients: int, access: int, routers: int, relays: int, seconds: float, seed: int, as_json: bool
) -> None:
    """Run a small deployment, and hold the simulation against it."""
    deployment = Deployment(
        clients=clients, access=access, routers=routers, relays=relays, im=0.0, seed=seed
    )
    print_result(trio.run(measure, deployment, seconds), as_json)
