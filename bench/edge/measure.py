"""All figures of the edge, one after the other on the same node."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.cluster import pin_apart, process_cpu_s
from bench.edge.connecting import Connecting, connect
from bench.edge.inbound import Inbound, chats, likes
from bench.edge.topology import EdgeTarget, edge_target
from bench.edge.unjoined import Unjoined, unjoined
from bench.load.child import Cores
from bench.load.client import LoadClient, load_client
from bench.load.run import Run, median, run
from bench.load.saturation import best, search

BUSY_DELIVERIES_PER_S = 100_000
QUIET_MESSAGES_PER_S = 20
FIRST_DELIVERIES_PER_S = 150_000
"""Where the search for saturation begins: one step above the busy rate, which was run before."""

CROWD = 5000
"""How many connect for the rate: with fewer the first and the last tenth of a second count."""

BOUND_MS = 150.0
NARROW_MS = 65.0


class Lengths(NamedTuple):
    """How often each figure is taken, and how many seconds each run takes."""

    times: int
    steady_s: float
    quiet_s: float
    inbound_s: float
    rung_s: float
    back_to_back_s: float


QUICK = Lengths(1, 2.5, 6.0, 1.0, 0.8, 0.5)
THOROUGH = Lengths(3, 5.0, 8.0, 3.0, 2.0, 2.0)


@dataclass
class Bench:
    """One node with its clients in the room."""

    edge: EdgeTarget
    client: LoadClient
    connections: int
    lengths: Lengths

    def steady(self, per_s: float, seconds: float) -> Run:
        """Return the median of the runs at one rate."""
        return median([self._run(per_s, seconds) for _ in range(self.lengths.times)])

    def searches(self) -> list[list[Run]]:
        """Search for saturation as often as each figure is taken."""
        start = FIRST_DELIVERIES_PER_S / self.connections
        return [search(start, BOUND_MS, self._rung) for _ in range(self.lengths.times)]

    def inbound(self, say: Callable[[EdgeTarget, LoadClient, float], Inbound]) -> Inbound:
        """Return the median of what a client's frame costs, and the sum of the refused."""
        lengths = self.lengths
        found = [say(self.edge, self.client, lengths.inbound_s) for _ in range(lengths.times)]
        median_us = statistics.median(each.us for each in found)
        return Inbound(median_us, sum(each.refused for each in found))

    def load_core_s(self) -> float:
        """Return the CPU seconds of all that shares the load's core."""
        return self.edge.aside_cpu_s() + process_cpu_s(self.client.pid)

    def _rung(self, per_s: float) -> Run:
        return self._run(per_s, self.lengths.rung_s)

    def _run(self, per_s: float, seconds: float) -> Run:
        return run(self.edge, self.client, self.connections, per_s, seconds)


def measure(connections: int, lengths: Lengths) -> dict[str, Any]:
    """Return the figures that the package's description names."""
    node_cores, load_cores = pin_apart()
    with edge_target() as edge, load_client(load_cores) as client:
        opened = connect(edge, client, connections)
        client.keep_alive(edge.keepalive)
        figures = _of_the_node(Bench(edge, client, connections, lengths))
        about = {"connections": connections, "write_path": edge.write_path()}
        crowds = [_crowd(edge, load_cores) for _ in range(lengths.times)]
    bare = unjoined(connections, lengths.back_to_back_s, node_cores, load_cores)
    memory = {"idle_kb_per_connection": round(opened.idle_kb_per_connection, 2)}
    return about | figures | memory | _connecting(crowds) | _unjoined(bare)


def _crowd(edge: EdgeTarget, cores: Cores) -> Connecting:
    """Let others come into the room, and go again."""
    with load_client(cores) as others:
        return connect(edge, others, CROWD)


def _of_the_node(bench: Bench) -> dict[str, Any]:
    busy = bench.steady(BUSY_DELIVERIES_PER_S / bench.connections, bench.lengths.steady_s)
    quiet = bench.steady(QUIET_MESSAGES_PER_S, bench.lengths.quiet_s)
    like, chat = bench.inbound(likes), bench.inbound(chats)
    times = {"p50_ms": round(busy.p50_ms, 1), "p99_ms": round(busy.p99_ms, 1)}
    return {
        **_saturation(bench, busy),
        "at_100k": times | {"cpu_us_per_delivery": round(busy.cpu_us, 2)},
        "quiet": {"p50_ms": round(quiet.p50_ms, 1), "p99_ms": round(quiet.p99_ms, 1)},
        "inbound_us": round(like.us, 1),
        "chat_us": round(chat.us, 1),
        "refused": like.refused + chat.refused,
        "late_ms": busy.late_ms,
        "ok": busy.whole and quiet.whole,
    }


def _saturation(bench: Bench, busy: Run) -> dict[str, Any]:
    began, used_s = time.monotonic(), bench.load_core_s()
    searches = [[busy, *runs] for runs in bench.searches()]
    share = (bench.load_core_s() - used_s) / (time.monotonic() - began)
    highest = _highest(searches, BOUND_MS)
    return {
        "saturation": _shown(highest),
        "within_65_ms": _shown(_highest(searches, NARROW_MS)),
        "load_cpu_share": round(highest.load_cpu_share if highest else 0.0, 2),
        "load_core_share": round(share, 2),
    }


def _highest(searches: list[list[Run]], bound_ms: float) -> Run | None:
    """Return the median search's best run within the bound; `None` where half had none."""
    found = [best(runs, bound_ms) for runs in searches]
    ranked = sorted(found, key=lambda run: run.deliveries_per_s if run else 0.0)
    return ranked[len(ranked) // 2]


def _shown(run: Run | None) -> dict[str, float | None]:
    if run is None:
        return {"deliveries_per_s": 0, "p99_ms": None}
    return {"deliveries_per_s": round(run.deliveries_per_s), "p99_ms": round(run.p99_ms, 1)}


def _connecting(crowds: list[Connecting]) -> dict[str, Any]:
    return {
        "connects_per_s": round(statistics.median(each.connects_per_s for each in crowds)),
        "connects_per_cpu_s": round(
            1e6 / statistics.median(each.cpu_us_per_connect for each in crowds)
        ),
    }


def _unjoined(found: Unjoined) -> dict[str, Any]:
    return {
        "c_loop_deliveries_per_s": round(found.c_loop_deliveries_per_s),
        "unjoined_deliveries_per_s": round(found.deliveries_per_s),
        "unjoined_share_of_c": round(found.share_of_c, 2),
        "unjoined_loop_share_of_c": round(found.loop_share_of_c, 2),
    }
