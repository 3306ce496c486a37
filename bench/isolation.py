"""`relaymesh bench isolation`: urgent messages while normal and bulk are flooded.

Starts a cluster of its own and sends host speech at a steady rate, three times: `unloaded`,
`flooded` (chat and bulk notices far over what logic takes, `capacity_per_s`) and `shared`: the same
flood, and the same probes as chat, on the topic, lanes and queues of the flood, as it would be
without separate ones: what is not in its `acked` was refused with the flood.
Each prints `p50_ms`, `p99_ms`, `sent`, `acked`, and for urgent ones `lost` and `disordered`, over
all reading viewers. `flood` says what was offered and what of it was refused; `bound_ms` is twice
the unloaded p99 plus 20 ms; `ok`: flooded p99 within it, nothing lost or out of order.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import msgspec
import trio

from bench.bus_choice import bus_options, up_options
from bench.cluster import Cluster, running_cluster
from bench.crowd import Crowd, Viewer, quantile
from bench.room import hello, print_result

ROOM = "stage"
HOSTS = 8
WATCHERS = 12
PROBES_PER_S = 20.0
FLOODERS = 40
CHATS_PER_FLOODER_AND_S = 30.0
BULK_POSTERS = 1
CAPACITY_PER_S = 300
"""What logic takes of chat and notices: leaves two cores, the load's included, some idle time."""

_NOTICE_BYTES = 2000


@dataclass
class Phase:
    """One run of the probes: `push` is the kind as which they come back."""

    push: str
    sent: int = 0
    acked: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    arrived: dict[Viewer, list[int]] = field(default_factory=dict)
    seqs: dict[int, int] = field(default_factory=dict)

    def lost(self, watchers: list[Viewer]) -> int:
        """Return how many acknowledged probes did not arrive, over all watchers."""
        return sum(len(set(self.seqs.values()) - set(self.arrived.get(w, []))) for w in watchers)

    def disordered(self) -> int:
        """Return how many probes arrived twice or after a later one."""
        return sum(
            later <= earlier
            for seqs in self.arrived.values()
            for earlier, later in itertools.pairwise(seqs)
        )


@dataclass
class Probes:
    """Sends probes and takes what comes back, a phase at a time."""

    phase: Phase
    flood_refused: int = 0
    flood_acked: int = 0

    def received(self, viewer: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one message of a host or a watcher."""
        now_ns = time.monotonic_ns()
        for frame in frames:
            if frame.get("push") == self.phase.push and frame["uid"].startswith("host-"):
                self.phase.arrived.setdefault(viewer, []).append(frame["seq"])
                sent_ns = int(frame["text"].split()[0])
                self.phase.latencies_ms.append((now_ns - sent_ns) / 1e6)
            elif frame.get("reply") and "ok" in frame:
                self.phase.acked += 1
                self.phase.seqs[frame["reply"]] = frame["ok"]["seq"]


async def measure(seconds: float, options: list[str]) -> dict[str, Any]:
    """Run the three phases; returns what is printed."""
    capacity = ("--set", f"logic.messages_per_s={CAPACITY_PER_S}")
    async with running_cluster(*options, *capacity) as cluster:
        probes = Probes(Phase("speech"))
        crowd = Crowd(b'"push":"speech"', probes.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.read)
            unloaded = await _run_phase(crowd, probes, "speech", seconds)
            flood = Flood(cluster, crowd.viewers[HOSTS + WATCHERS :])
            nursery.start_soon(flood.chat)
            for number in range(BULK_POSTERS):
                nursery.start_soon(flood.bulk, number)
            await trio.sleep(2)
            flooded = await _run_phase(crowd, probes, "speech", seconds)
            shared = await _run_phase(crowd, probes, "chat", seconds)
            nursery.cancel_scope.cancel()
        return _report(crowd, unloaded, flooded, shared, flood)


def _connect(crowd: Crowd, cluster: Cluster) -> None:
    def hellos(name: str, count: int, host: tuple[str, ...] = ()) -> Iterator[bytes]:
        return (hello(cluster.token(f"{name}-{n}", host=host), ROOM) for n in range(count))

    crowd.connect(cluster.access, hellos("host", HOSTS, (ROOM,)), reading=True)
    crowd.connect(cluster.access, hellos("watcher", WATCHERS), reading=True)
    crowd.connect(cluster.access, hellos("flooder", FLOODERS))


async def _run_phase(crowd: Crowd, probes: Probes, push: str, seconds: float) -> Phase:
    phase = probes.phase = Phase(push)
    start = trio.current_time()
    for number in range(1, int(seconds * PROBES_PER_S) + 1):
        await trio.sleep_until(start + number / PROBES_PER_S)
        request = {"op": push, "id": number, "room": ROOM, "text": f"{time.monotonic_ns()}"}
        crowd.viewers[number % HOSTS].send(msgspec.json.encode(request))
        phase.sent += 1
    watchers = crowd.viewers[: HOSTS + WATCHERS]
    await crowd.settle(lambda: phase.acked == phase.sent and not phase.lost(watchers), 5)
    return phase


class Flood:
    """Chat and bulk notices, far more than the cluster takes; counts what was offered."""

    def __init__(self, cluster: Cluster, flooders: list[Viewer]) -> None:
        self._cluster = cluster
        self._flooders = flooders
        self._token = cluster.token("backend", server=True)
        self.chats = self.notices = self.notices_refused = 0
        self.began = time.monotonic()

    async def chat(self) -> None:
        """Send chat from every flooder, just below the limit of a connection, until cancelled."""
        rate = CHATS_PER_FLOODER_AND_S * len(self._flooders)
        start = trio.current_time()
        while True:
            for flooder in self._flooders:
                self.chats += 1
                await trio.sleep_until(start + self.chats / rate)
                _send_if_alive(flooder, self.chats)

    async def bulk(self, number: int) -> None:
        """Post bulk notices as fast as they are answered, until cancelled."""
        while True:
            self.notices += 1
            body = {
                "data": "x" * _NOTICE_BYTES,
                "priority": "bulk",
                "mid": f"{number}-{self.notices}",
            }
            try:
                await self._cluster.get_json(f"/v1/rooms/{ROOM}/publish", body, self._token)
            except OSError:
                self.notices_refused += 1


def _send_if_alive(flooder: Viewer, number: int) -> None:
    if flooder.gone:
        return
    request = {"op": "chat", "id": number, "room": ROOM, "text": "flood " * 30}
    try:
        flooder.send(msgspec.json.encode(request))
    except OSError:
        flooder.gone = True


def _report(
    crowd: Crowd, unloaded: Phase, flooded: Phase, shared: Phase, flood: Flood
) -> dict[str, Any]:
    watchers = crowd.viewers[: HOSTS + WATCHERS]
    flood_s = time.monotonic() - flood.began
    bound_ms = 2 * _p99(unloaded) + 20
    lost, disordered = flooded.lost(watchers), flooded.disordered()
    return {
        "unloaded": _figures(unloaded, watchers),
        "flooded": _figures(flooded, watchers),
        "shared": _figures(shared, watchers),
        "bound_ms": round(bound_ms, 1),
        "capacity_per_s": CAPACITY_PER_S,
        "flood": {
            "chats_per_s": round(flood.chats / flood_s),
            "notices_per_s": round(flood.notices / flood_s),
            "notices_refused": flood.notices_refused,
        },
        "ok": _p99(flooded) <= bound_ms and not lost and not disordered and flooded.acked > 0,
    }


def _figures(phase: Phase, watchers: list[Viewer]) -> dict[str, Any]:
    latencies = sorted(phase.latencies_ms)
    return {
        "p50_ms": round(quantile(latencies, 0.5), 1),
        "p99_ms": round(quantile(latencies, 0.99), 1),
        "sent": phase.sent,
        "acked": phase.acked,
        "lost": phase.lost(watchers),
        "disordered": phase.disordered(),
    }


def _p99(phase: Phase) -> float:
    return quantile(sorted(phase.latencies_ms), 0.99)


@click.command()
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(1, 120))
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(seconds: float, bus: str, bus_url: str, as_json: bool) -> None:
    """Show that urgent messages do not wait behind a flood."""
    print_result(trio.run(measure, seconds, up_options(bus, bus_url)), as_json)
