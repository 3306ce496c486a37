"""`relaymesh bench likes`: a million likes in ten seconds on one room.

Starts a cluster of its own. Prints

- `likes` (sent), `acked` (acknowledged to clients), `total` (what the room shows at the end),
  `exact`: whether the three are equal;
- `client_frames`: like requests of clients; `upward_messages`: flushes of the access nodes;
  `writes`: atomic writes of totals; `pushes`: totals pushed to a viewer;
- `seconds`: from the first like to the last acknowledgement;
- `ok`: exact.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import msgspec
import trio

from bench.bus_choice import bus_options, up_options
from bench.cluster import Cluster, running_cluster
from bench.crowd import Crowd, Viewer
from bench.room import hello, print_result

ROOM = "liked"
CLIENTS = 50
FRAMES_PER_CLIENT_AND_S = 20


@dataclass
class Tally:
    """What has come back so far."""

    sent: int = 0
    acked: int = 0
    refused: int = 0
    totals: list[int] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)

    def received(self, viewer: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one message."""
        for frame in frames:
            if frame.get("push") == "likes" and viewer.node == "watcher":
                self.totals.append(frame["total"])
            elif frame.get("reply"):
                size = self.sizes.pop(frame["reply"])
                self.acked += size if "ok" in frame else 0
                self.refused += size if "error" in frame else 0


async def measure(likes: int, seconds: float, options: list[str]) -> dict[str, Any]:
    """Run the whole measurement; returns what is printed."""
    async with running_cluster(*options) as cluster:
        tally = Tally()
        crowd = Crowd(b'"push":"likes"', tally.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.read)
            began = trio.current_time()
            await _like(crowd.viewers, likes, seconds, tally)
            await crowd.settle(lambda: not tally.sizes)
            took_s = trio.current_time() - began
            await crowd.settle(lambda: tally.totals[-1:] == [tally.acked])
            nursery.cancel_scope.cancel()
        crowd.close()
        access, logic = await cluster.metrics("access"), await cluster.metrics("logic")
    return {
        "likes": likes,
        "acked": tally.acked,
        "total": tally.totals[-1] if tally.totals else 0,
        "exact": tally.totals[-1:] == [likes] and tally.acked == likes,
        "client_frames": int(access['relaymesh_access_requests_total{op="like"}']),
        "upward_messages": int(access["relaymesh_access_like_flushes_total"]),
        "writes": int(logic["relaymesh_logic_likes_written_total"]),
        "pushes": len(tally.totals),
        "seconds": round(took_s, 1),
        "ok": tally.totals[-1:] == [likes] and tally.acked == likes,
    }


def _connect(crowd: Crowd, cluster: Cluster) -> None:
    def hellos() -> Iterator[bytes]:
        return (hello(cluster.token(f"fan-{number}"), ROOM) for number in range(CLIENTS))

    crowd.connect(cluster.access, hellos(), reading=True)
    # One of them watches the totals; all of them get them.
    crowd.viewers[0].node = "watcher"


async def _like(clients: list[Viewer], likes: int, seconds: float, tally: Tally) -> None:
    frames = math.ceil(seconds * FRAMES_PER_CLIENT_AND_S * len(clients))
    start, sizes = trio.current_time(), _shares(likes, frames)
    for number, (client, size) in enumerate(zip(itertools.cycle(clients), sizes, strict=False), 1):
        await trio.sleep_until(start + number * seconds / frames)
        tally.sizes[number] = size
        tally.sent += size
        client.send(msgspec.json.encode({"op": "like", "id": number, "room": ROOM, "count": size}))


def _shares(whole: int, parts: int) -> Iterator[int]:
    """Cut `whole` into at most `parts` nearly equal parts."""
    done = 0
    for number in range(1, parts + 1):
        until = whole * number // parts
        if until > done:
            yield until - done
        done = until


@click.command()
@click.option("--likes", default=1_000_000, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1, 600))
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(likes: int, seconds: float, bus: str, bus_url: str, as_json: bool) -> None:
    """Count a million likes on one room exactly."""
    print_result(trio.run(measure, likes, seconds, up_options(bus, bus_url)), as_json)
