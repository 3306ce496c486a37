"""`relaymesh bench idle`: what connections cost that say nothing.

A real access node with everything on (see `bench edge`), its clients in one room, nothing published
but the room's heads. Some of the clients die without a word: they answer no ping any more. Prints

- `connections`, `seconds`, `heartbeat_s`;
- `cpu_share`: of one core, of the node; `pings`: that it sent meanwhile;
- `kb_per_connection`: memory of the node (RSS);
- `dead`: clients that died; `found`: of them, those whose connections the node ended; `found_s`:
  how long it took for the last, at most two heartbeats and a little;
- `lost`: living clients that lost their connection;
- `ok`: CPU under 2 % of a core, all the dead found, none of the living lost.
"""

import time
from typing import Any

import click

from bench.cluster import pin_apart
from bench.edge.connecting import connect
from bench.edge.topology import EdgeTarget, edge_target
from bench.load.client import LoadClient, load_client
from bench.room import print_result

HEARTBEAT_S = 25.0
"""The node's default."""

DEAD_SHARE = 0.01
LOOK_EVERY_S = 1.0
MOST_SHARE = 0.02


def measure(connections: int, seconds: float) -> dict[str, Any]:
    """Return the figures that the module's description names."""
    _, load_cores = pin_apart()
    with edge_target() as edge, load_client(load_cores) as client:
        opened = connect(edge, client, connections)
        figures = _watch(edge, client, connections, seconds)
    return {
        "connections": connections,
        "seconds": seconds,
        "heartbeat_s": HEARTBEAT_S,
        **figures,
        "kb_per_connection": round(opened.idle_kb_per_connection, 2),
    }


def _watch(
    edge: EdgeTarget, client: LoadClient, connections: int, seconds: float
) -> dict[str, Any]:
    dead = round(connections * DEAD_SHARE)
    client.reset()
    client.stop_reading(dead)
    used_s, pings, began = edge.cpu_s(), _pings(edge), time.monotonic()
    found, found_s = _find_dead(edge, client, connections, dead, began + seconds)
    share = (edge.cpu_s() - used_s) / (time.monotonic() - began)
    lost = client.report().lost_connections
    return {
        "cpu_share": round(share, 4),
        "pings": round(_pings(edge) - pings),
        "dead": dead,
        "found": found,
        "found_s": round(found_s - began, 1),
        "lost": lost,
        "ok": share < MOST_SHARE and found == dead and lost == 0,
    }


def _find_dead(
    edge: EdgeTarget, client: LoadClient, connections: int, dead: int, until: float
) -> tuple[int, float]:
    """Look until the end; returns how many of the dead were found, and when it was the last."""
    found, found_at = 0, time.monotonic()
    while time.monotonic() < until:
        client.wait(1, LOOK_EVERY_S, LOOK_EVERY_S)
        gone = connections - int(edge.status()["connections"])
        if found < gone <= dead:
            found, found_at = gone, time.monotonic()
    return found, found_at


def _pings(edge: EdgeTarget) -> float:
    return edge.metrics()["relaymesh_edge_pings_total"]


@click.command()
@click.option("--connections", default=10_000, show_default=True, type=click.IntRange(100, 15_000))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(55, 600))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(connections: int, seconds: float, as_json: bool) -> None:
    """Measure what idle connections cost, and how soon dead ones are found."""
    print_result(measure(connections, seconds), as_json)
