"""The measurement and the command line of `relaymesh bench tls`."""

import os
import ssl
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from bench.cluster import pin_apart
from bench.room import print_result
from bench.tls.certificate import KEY_KINDS, KeyKind, write_certificate
from bench.tls.ways import Parts, Turn, Way, running

TURNS = 3
JOINED = 10
ROUNDS_PER_S = 20.0
"""20,000 writes a second to 1000 clients: what a proxy and a node can do on one core together."""
ROUNDS = 50


def measure(connections: int, kind: KeyKind) -> dict[str, Any]:
    """Return the figures that the module's description names."""
    node_cores, load_cores = pin_apart()
    if load_cores is not None:
        os.sched_setaffinity(0, load_cores)
    with tempfile.TemporaryDirectory(prefix="relaymesh-bench-") as folder:
        certificate = Path(folder) / "both.pem"
        write_certificate(certificate, kind)
        with running(certificate, connections, node_cores) as parts:
            return {
                "connections": connections,
                "rounds_per_s": ROUNDS_PER_S,
                "certificate": kind,
                "openssl": ssl.OPENSSL_VERSION,
                "write_path": parts.write_path,
                **_compare(parts, connections),
            }


def _compare(parts: Parts, connections: int) -> dict[str, Any]:
    ways = {name: way for name, way in parts.ways.items() if way is not None}
    for way in ways.values():
        way.connect(connections)
    single, load = _by_turns(ways, 1)
    joined, joined_load = _by_turns(ways, JOINED)
    figures: dict[str, Any] = dict.fromkeys(parts.ways)
    for name, way in ways.items():
        figures[name] = _figures(way, single[name], joined[name])
    return {
        "ways": figures,
        "load_cpu_share": round(max(load, joined_load), 2),
        "ok": all(turn.whole for turns in (*single.values(), *joined.values()) for turn in turns),
    }


def _by_turns(ways: dict[str, Way], joined: int) -> tuple[dict[str, list[Turn]], float]:
    """Return the turns of each way, and the load client's share of a core at most."""
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    share = 0.0
    for _ in range(TURNS):
        for name, way in ways.items():
            turn, load = _one_turn(way, joined)
            turns[name].append(turn)
            share = max(share, load)
    return turns, share


def _one_turn(way: Way, joined: int) -> tuple[Turn, float]:
    began, cpu_s = time.monotonic(), time.process_time()
    turn = way.rounds(ROUNDS, ROUNDS_PER_S, joined)
    return turn, (time.process_time() - cpu_s) / (time.monotonic() - began)


def _figures(way: Way, single: list[Turn], joined: list[Turn]) -> dict[str, float]:
    return {
        "cpu_us_per_delivery": round(_median(single), 1),
        "joined_cpu_us_per_delivery": round(_median(joined), 2),
        "kb_per_connection": round(way.kb_per_connection, 1),
        "connects_per_cpu_s": round(way.connects_per_cpu_s),
    }


def _median(turns: list[Turn]) -> float:
    return statistics.median(turn.cpu_us_per_delivery for turn in turns)


@click.command()
@click.option("--connections", default=1000, show_default=True, type=click.IntRange(100, 5000))
@click.option("--key", "kind", default="p256", show_default=True, type=click.Choice(KEY_KINDS))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(connections: int, kind: KeyKind, as_json: bool) -> None:
    """Measure TLS at the node beside none, and beside haproxy before the node."""
    print_result(measure(connections, kind), as_json)
