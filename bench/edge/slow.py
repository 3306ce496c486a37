"""`relaymesh bench slow`: a tenth of the clients stop reading at full load.

A real access node with everything on (see `bench edge`) and a room at a steady rate: first all
clients read, then some stop. They are thinned, and closed when their sockets have taken nothing for
ten seconds (4008); then they come back and resume. Prints

- `connections`, `slow`, `rate` (messages a second);
- `all_reading`: `{"deliveries_per_s", "p50_ms", "p99_ms"}`; `some_slow`: the same of the others
  while the slow ones are stalled; each the median of runs;
- `p99_ratio`: the second p99 by the first;
- `lost`: deliveries that the others missed or got out of order;
- `thinned`: `{"urgent", "normal", "bulk"}`: messages that were left out for the slow ones;
- `queued_bytes_max`: what waited for them at most, and `bound_bytes`: what may; `rss_mb`: memory of
  the node with all reading, and at most;
- `closed`: of the slow ones, those closed with 4008; `closed_s`: how long after they stopped it was
  the last; `resumed`: those that came back from where they were;
- `ok`: ratio under 1.2, nothing lost by the others, memory within the bound, all closed and back.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import click

from bench.cluster import pin_apart
from bench.edge.connecting import connect
from bench.edge.topology import EdgeTarget, edge_target
from bench.load.client import LoadClient, Report, load_client
from bench.load.script import Step
from bench.room import print_result
from proto.priorities import LABELS

QUEUE_BOUND_BYTES = 256 * 1024
"""The node's default for one client."""

CLOSED = 'relaymesh_edge_closes_total{code="4008"}'
RUNS = 3
FIRST_SEQ = 1
CLOSE_LIMIT_S = 20.0
QUIET_S = 1.0
MOST_RATIO = 1.2


class Stage:
    """The node, its clients, and what was seen of its memory."""

    def __init__(self, edge: EdgeTarget, client: LoadClient, rate: float, seconds: float) -> None:
        self.edge = edge
        self.client = client
        self.queued_bytes = 0
        self.rss_kb = edge.rss_kb()
        self._rate = rate
        self._seconds = seconds

    def run(self, readers: int) -> tuple[Report, int]:
        """Publish for a while; returns what the readers saw, and what they missed."""
        self.client.reset()
        published = self.edge.publish(self._rate, self._seconds)
        owed = published.count * readers
        self.client.wait(owed, QUIET_S, self._seconds)
        self.look()
        report = self.client.report()
        return report, owed - report.deliveries + report.doubles

    def look(self) -> None:
        """Note how much waits."""
        self.queued_bytes = max(self.queued_bytes, int(self.edge.status()["queued_bytes"]))
        self.rss_kb = max(self.rss_kb, self.edge.rss_kb())


def measure(connections: int, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures that the module's description names."""
    slow = connections // 10
    _, load_cores = pin_apart()
    with edge_target() as edge, load_client(load_cores) as client:
        connect(edge, client, connections)
        client.keep_alive(edge.keepalive)
        stage = Stage(edge, client, rate, seconds)
        result = _stages(stage, connections, slow)
    return {"connections": connections, "slow": slow, "rate": rate, **result}


def _stages(stage: Stage, connections: int, slow: int) -> dict[str, Any]:
    stage.run(connections)
    before, lost_before = _median(lambda: stage.run(connections))
    normal_rss_kb = stage.rss_kb
    stage.client.stop_reading(slow)
    stopped = time.monotonic()
    after, lost_after = _median(lambda: stage.run(connections - slow))
    closed = _wait_until_closed(stage, slow)
    closed_s = time.monotonic() - stopped
    resumed = _resume(stage, slow)
    ratio = after["p99_ms"] / before["p99_ms"]
    lost, bound = lost_before + lost_after, slow * QUEUE_BOUND_BYTES
    fine = ratio < MOST_RATIO and lost == 0 and stage.queued_bytes <= bound
    return {
        "all_reading": before,
        "some_slow": after,
        "p99_ratio": round(ratio, 2),
        "lost": lost,
        "thinned": _thinned(stage.edge),
        "queued_bytes_max": stage.queued_bytes,
        "bound_bytes": bound,
        "rss_mb": [round(kb / 1024) for kb in (normal_rss_kb, stage.rss_kb)],
        "closed": closed,
        "closed_s": round(closed_s, 1),
        "resumed": resumed,
        "ok": fine and closed == slow == resumed,
    }


def _median(run: Callable[[], tuple[Report, int]]) -> tuple[dict[str, float], int]:
    found = [run() for _ in range(RUNS)]
    reports = [report for report, _ in found]
    figures = {
        "deliveries_per_s": round(statistics.median(report.per_s for report in reports)),
        "p50_ms": round(statistics.median(report.p50_ms for report in reports), 1),
        "p99_ms": round(statistics.median(report.p99_ms for report in reports), 1),
    }
    return figures, sum(missed for _, missed in found)


def _wait_until_closed(stage: Stage, slow: int) -> int:
    limit = time.monotonic() + CLOSE_LIMIT_S
    while (closed := int(stage.edge.metrics().get(CLOSED, 0))) < slow and time.monotonic() < limit:
        stage.run(0)
    return closed


def _thinned(edge: EdgeTarget) -> dict[str, int]:
    metrics = edge.metrics()
    name = "relaymesh_edge_thinned_total"
    return {label: int(metrics[f'{name}{{priority="{label}"}}']) for label in LABELS}


def _resume(stage: Stage, slow: int) -> int:
    """Come back with the position of one message, as the closed ones would; returns how many
    were let in and told what is gone of it, or sent it."""
    pushed = Step(b"", b'"push":"')
    scripts = [[*stage.edge.resuming(number, FIRST_SEQ), pushed] for number in range(slow)]
    return stage.client.try_connect(stage.edge.port, scripts, slow).opened


@click.command()
@click.option("--connections", default=1000, show_default=True, type=click.IntRange(100, 15_000))
@click.option("--rate", default=1000.0, show_default=True, help="Messages a second.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(1, 60))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(connections: int, rate: float, seconds: float, as_json: bool) -> None:
    """Measure what clients that stop reading cost the others."""
    print_result(measure(connections, rate, seconds), as_json)
