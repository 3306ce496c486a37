"""`relaymesh bench room`: viewers of one room through the whole mesh.

Starts a cluster of its own on one core and the load on another. Prints

- `viewers`, `rate` (messages a second), `seconds`, `published` (acknowledged messages);
- `deliveries_per_s`: messages that reached a viewer's socket, over the time of publishing, to the
  hundred;
- `p50_ms`, `p99_ms`: from before the sender's request to a reading viewer having decoded the push;
- `lost`: deliveries that were owed and neither arrived nor were told as skipped;
- `skipped`: notices of thinned messages; `refused`: publishes answered with an error;
- `cpu_us_per_delivery`: by role; `cpu_share`: of one core, by role, and of the `load` itself;
- `links`: what the topology holds, and what a full mesh would;
- `ok`: nothing lost.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import msgspec
import trio

from bench.bus_choice import bus_options, up_options
from bench.cluster import Cluster, pin_apart, running_cluster
from bench.crowd import Crowd, Viewer, quantile

ROOM = "bench"
PUBLISHERS = 8
READERS = 40
PUSH = b'"push":"chat"'
WARM_UP_S = 1.0
_TEXT_BYTES = 100


@dataclass
class Load:
    """What was published and what came of it."""

    acked: int = 0
    refused: int = 0
    unanswered: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    measuring: bool = False

    def received(self, _: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one message of a reading viewer."""
        now_ns = time.monotonic_ns()
        for frame in frames:
            if frame.get("push") == "chat" and self.measuring:
                sent_ns = int(frame["text"].split()[0])
                self.latencies_ms.append((now_ns - sent_ns) / 1e6)
            elif frame.get("reply"):
                self.unanswered -= 1
                self.acked += "ok" in frame
                self.refused += "error" in frame


def hello(token: str, room: str = ROOM, request_id: int = 0) -> bytes:
    """Return the first frame of a client that joins one room."""
    return msgspec.json.encode(
        {"op": "hello", "id": request_id, "token": token, "join": [{"room": room}]}
    )


async def publish(
    publishers: list[Viewer], rate: float, seconds: float, frame: Callable[[int], bytes], load: Load
) -> None:
    """Send `rate` requests a second for `seconds`, by turns from each of the publishers."""
    start = trio.current_time()
    for number in range(1, int(rate * seconds) + 1):
        await trio.sleep_until(start + number / rate)
        load.unanswered += 1
        publishers[number % len(publishers)].send(frame(number))


def chat(number: int) -> bytes:
    """Return a chat request that carries its time of sending in the text."""
    text = f"{time.monotonic_ns()} {number} ".ljust(_TEXT_BYTES, "x")
    return msgspec.json.encode({"op": "chat", "id": number, "room": ROOM, "text": text})


async def measure(viewers: int, rate: float, seconds: float, options: list[str]) -> dict[str, Any]:
    """Run the whole measurement; returns what is printed."""
    cluster_cores, load_cores = pin_apart()
    async with running_cluster(*options, cores=cluster_cores) as cluster:
        if load_cores:
            os.sched_setaffinity(0, load_cores)
        load = Load()
        crowd = Crowd(PUSH, load.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster, viewers)
        return await _measure(cluster, crowd, load, rate, seconds)


def _connect(crowd: Crowd, cluster: Cluster, viewers: int) -> None:
    def hellos(count: int, name: str) -> Iterator[bytes]:
        return (hello(cluster.token(f"{name}-{number}")) for number in range(count))

    readers = min(READERS, viewers)
    publishers = min(PUBLISHERS, readers)
    crowd.connect(cluster.access, hellos(publishers, "publisher"), reading=True)
    crowd.connect(cluster.access, hellos(readers - publishers, "reader"), reading=True)
    crowd.connect(cluster.access, hellos(viewers - readers, "viewer"))


async def _measure(
    cluster: Cluster, crowd: Crowd, load: Load, rate: float, seconds: float
) -> dict[str, Any]:
    publishers = crowd.viewers[:PUBLISHERS]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.read)
        nursery.start_soon(crowd.stay_alive)
        await publish(publishers, rate, WARM_UP_S, chat, load)
        await crowd.settle(lambda: _complete(crowd, load), 10)
        before, cpu, own, began = (
            _counted(crowd),
            cluster.cpu_s(),
            time.process_time(),
            time.monotonic(),
        )
        load.measuring = True
        await publish(publishers, rate, seconds, chat, load)
        took_s = time.monotonic() - began
        await crowd.settle(lambda: _complete(crowd, load))
        after, used = _counted(crowd), cluster.cpu_s()
        own_share = (time.process_time() - own) / took_s
        status = await cluster.status()
        nursery.cancel_scope.cancel()
    crowd.close()
    delivered = after - before
    latencies = sorted(load.latencies_ms)
    spent = {role: used[role] - cpu.get(role, 0.0) for role in used}
    return {
        "viewers": len(crowd.viewers),
        "rate": rate,
        "seconds": seconds,
        "published": load.acked,
        "refused": load.refused + load.unanswered,
        "deliveries_per_s": int(round(delivered / took_s, -2)),
        "p50_ms": round(quantile(latencies, 0.5), 1),
        "p99_ms": round(quantile(latencies, 0.99), 1),
        "lost": load.acked * len(crowd.viewers) - after,
        "skipped": sum(viewer.skips for viewer in crowd.viewers),
        "cpu_us_per_delivery": {
            role: round(seconds_used / max(delivered, 1) * 1e6, 2)
            for role, seconds_used in spent.items()
        },
        "cpu_share": {role: round(s / took_s, 2) for role, s in spent.items()}
        | {"load": round(own_share, 2)},
        "links": status["links"],
        "ok": load.acked * len(crowd.viewers) == after,
    }


def _counted(crowd: Crowd) -> int:
    return sum(viewer.counted for viewer in crowd.viewers)


def _complete(crowd: Crowd, load: Load) -> bool:
    return load.unanswered <= 0 and _counted(crowd) >= load.acked * len(crowd.viewers)


@click.command()
@click.option("--viewers", default=1000, show_default=True, type=click.IntRange(1, 15000))
@click.option("--rate", default=100.0, show_default=True, help="Messages a second.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1, 600))
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(
    viewers: int, rate: float, seconds: float, bus: str, bus_url: str, as_json: bool
) -> None:
    """Measure a live room through the whole mesh."""
    result = trio.run(measure, viewers, rate, seconds, up_options(bus, bus_url))
    print_result(result, as_json)


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """Print a measurement, and exit 1 where its `ok` is false."""
    if as_json:
        click.echo(json.dumps(result))
    else:
        for key, value in result.items():
            click.echo(f"{key:>20}  {value}")
    sys.exit(0 if result["ok"] else 1)
