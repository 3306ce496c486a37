"""One server's row of the table: what one turn measures, and the median of several."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from bench.edge.connecting import Connecting, connect
from bench.load.child import Cores, on
from bench.load.client import load_client
from bench.load.run import Run, median, run
from bench.load.saturation import best, search
from bench.load.target import Target

Start = Callable[[int, Cores], AbstractContextManager[Target]]
"""Takes the number of connections and the server's cores."""

FEW, MANY = 1000, 5000
BUSY_DELIVERIES_PER_S = 100_000
FIRST_DELIVERIES_PER_S = 60_000
BOUND_MS = 150.0
BUSY_S = 3.0
RUNG_S = 1.0


class Turn(msgspec.Struct, frozen=True):
    """What one turn gave."""

    busy_few: Run
    busy_many: Run
    saturation: Run | None
    opened: Connecting


def turn(start: Start, server: Cores, load: Cores) -> Turn:
    """Measure a server, freshly started for few and then for many connections."""
    with start(FEW, server) as target, load_client(load) as client, on(load):
        opened = connect(target, client, FEW)
        client.keep_alive(target.keepalive)
        busy_few = run(target, client, FEW, BUSY_DELIVERIES_PER_S / FEW, BUSY_S)
        runs = search(
            FIRST_DELIVERIES_PER_S / FEW,
            BOUND_MS,
            lambda per_s: run(target, client, FEW, per_s, RUNG_S),
        )
    with start(MANY, server) as target, load_client(load) as client, on(load):
        connect(target, client, MANY)
        busy_many = run(target, client, MANY, BUSY_DELIVERIES_PER_S / MANY, BUSY_S)
    return Turn(busy_few, busy_many, best([busy_few, *runs], BOUND_MS), opened)


def row(name: str, turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the medians of a server's turns, as the package's description names them."""
    ranked = sorted((each.saturation for each in turns), key=_deliveries_per_s)
    middle = ranked[len(ranked) // 2]
    return {
        "name": name,
        "busy_1000": _busy([each.busy_few for each in turns]),
        "busy_5000": _busy([each.busy_many for each in turns]),
        "saturation": {
            "deliveries_per_s": round(_deliveries_per_s(middle)),
            "p99_ms": round(middle.p99_ms, 1) if middle else None,
        },
        "idle_kb_per_connection": round(
            statistics.median(each.opened.idle_kb_per_connection for each in turns), 1
        ),
        "connects_per_s": round(statistics.median(each.opened.connects_per_s for each in turns)),
        "load_cpu_share": round(middle.load_cpu_share, 2) if middle else None,
    }


def _deliveries_per_s(run: Run | None) -> float:
    return run.deliveries_per_s if run else 0.0


def _busy(runs: Sequence[Run]) -> dict[str, Any]:
    middle = median(runs)
    return {
        "p50_ms": round(middle.p50_ms, 1),
        "p99_ms": round(middle.p99_ms, 1),
        "cpu_us_per_delivery": round(middle.cpu_us, 2),
        "lost": int(middle.lost),
    }
