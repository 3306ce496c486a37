"""`relaymesh bench storm`: everybody connects at once while a room goes on.

A real access node on a core of its own, everything else as in `bench edge` on the other. Viewers
watch a room with a steady rate, first alone; then `connects` clients all connect, say hello and
join in the same moment, and those who are sent away do not come back. They join a room of their
own, as otherwise the larger room would be measured too. Needs a C compiler. Prints

- `viewers`, `rate` (messages a second), `connects`: the load;
- `before`, `during`: `{"p50_ms", "p99_ms", "deliveries"}` of all viewers, from publishing to the
  load client's read; `during` lasts until the storm is answered;
- `bound_ms`: twice the p99 before plus 20 ms;
- `admitted`: hello and join answered; `refused`: 503 with Retry-After; `others`: what else happened
  (reset, closed, no answer), and how often;
- `seconds`: until the last of them was answered; `admitted_per_s`, and `cpu_us_per_connect`: the
  node's CPU for each of them, admitted or refused, deliveries included;
- `retry_after_s`: the least, the mean and the most that a refused client was told;
- `lost`: messages that a viewer missed or got out of order;
- `ok`: none of `others`, nothing lost, somebody admitted, `during` within the bound.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click
import msgspec

from bench.cluster import pin_apart
from bench.edge.topology import EdgeTarget, edge_target
from bench.load.child import Child, Cores
from bench.load.client import LoadClient, Report, load_client
from bench.room import print_result
from bench.storm_child import Orders, Outcome

CROWDED_ROOM = "crowded"
STORMERS = 2
"""Processes: each holds its part within the usual limit of open files."""

WARM_UP_S = 1.0
STORM_S = 8.0
"""How long the room goes on from the beginning of the storm; a node answers it in less."""

LIMIT_S = 40.0


def measure(viewers: int, rate: float, connects: int, before_s: float) -> dict[str, Any]:
    """Run it; returns what is printed."""
    _, load_cores = pin_apart()
    with edge_target() as edge, load_client(load_cores) as client:
        client.connect(edge.port, map(edge.script, range(viewers)))
        edge.publish(rate, WARM_UP_S)
        client.reset()
        edge.publish(rate, before_s)
        before = client.report()
        with _storm(edge, connects, load_cores) as storm:
            during, outcome, cpu_s = _during(edge, client, rate, storm)
    shown = _shown(before, during, outcome) | {
        "cpu_us_per_connect": round(cpu_s / connects * 1e6, 1)
    }
    return {"viewers": viewers, "rate": rate, "connects": connects, **shown}


@contextmanager
def _storm(edge: EdgeTarget, connects: int, cores: Cores) -> Iterator[list[Child]]:
    """Have processes ready that connect when told to."""
    with ExitStack() as stack:
        storm = []
        for number in range(STORMERS):
            part = connects // STORMERS + (number < connects % STORMERS)
            orders = Orders(edge.url, edge.token_secret, CROWDED_ROOM, number, part, LIMIT_S)
            text = msgspec.json.encode(orders).decode()
            child = Child("the storm", [sys.executable, "-m", "bench.storm_child", text], cores)
            stack.callback(child.stop)
            storm.append(child)
        for child in storm:
            child.hear()
        yield storm


def _during(
    edge: EdgeTarget, client: LoadClient, rate: float, storm: list[Child]
) -> tuple[Report, Outcome, float]:
    talking = threading.Thread(target=edge.publish, args=(rate, STORM_S))
    client.reset()
    cpu_s = edge.cpu_s()
    talking.start()
    for child in storm:
        child.say("go")
    outcomes = [msgspec.convert(child.hear(LIMIT_S * 2), Outcome) for child in storm]
    report, cpu_s = client.report(), edge.cpu_s() - cpu_s
    talking.join()
    return report, sum(outcomes[1:], outcomes[0]), cpu_s


def _shown(before: Report, during: Report, outcome: Outcome) -> dict[str, Any]:
    bound_ms = 2 * before.p99_ms + 20
    lost = sum(each.holes + each.doubles + each.lost_connections for each in (before, during))
    kept = during.p99_ms <= bound_ms and not lost
    return {
        "before": _times(before),
        "during": _times(during),
        "bound_ms": round(bound_ms, 1),
        "admitted": outcome.admitted,
        "refused": len(outcome.retry_after_s),
        "others": outcome.others,
        "seconds": round(outcome.seconds, 2),
        "admitted_per_s": round(outcome.admitted / outcome.seconds),
        "retry_after_s": _spread(outcome.retry_after_s),
        "lost": lost,
        "ok": kept and not outcome.others and outcome.admitted > 0,
    }


def _times(report: Report) -> dict[str, float]:
    return {
        "p50_ms": round(report.p50_ms, 1),
        "p99_ms": round(report.p99_ms, 1),
        "deliveries": report.deliveries,
    }


def _spread(told_s: list[int]) -> list[float]:
    if not told_s:
        return []
    return [min(told_s), round(sum(told_s) / len(told_s), 1), max(told_s)]


@click.command()
@click.option("--viewers", default=1000, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--rate", default=20.0, show_default=True, type=click.FloatRange(1, 1000))
@click.option("--connects", default=20_000, show_default=True, type=click.IntRange(2, 30_000))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(1, 60))
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(viewers: int, rate: float, connects: int, seconds: float, as_json: bool) -> None:
    """Let a crowd connect at once, and look at those who are connected."""
    print_result(measure(viewers, rate, connects, seconds), as_json)
