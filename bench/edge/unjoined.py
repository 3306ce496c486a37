"""One frame a write, back to back: our whole fan-out beside a C loop, by turns."""

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import click
import msgspec

from bench import wire
from bench.load.child import Child, Cores
from bench.load.client import LoadClient, load_client
from bench.load.script import Step
from bench.load.send_loop import UPGRADED, BackToBack, SendLoop, send_loop
from bench.load.send_loop import connect as connect_loop

TURNS = 3
QUIET_S = 0.3
LIMIT_S = 10.0


class Unjoined(NamedTuple):
    """Medians, in deliveries a second, and the median of our share in each turn."""

    deliveries_per_s: float
    c_loop_deliveries_per_s: float
    share_of_c: float


def unjoined(connections: int, seconds: float, server: Cores, load: Cores) -> Unjoined:
    """Measure both by turns, with the same number of connections; three times `seconds` each."""
    with ExitStack() as stack:
        ours, our_client = stack.enter_context(_ours(connections, server, load))
        loop, its_client = stack.enter_context(_loop(connections, server, load))
        turns = [
            (_our_turn(ours, our_client, seconds), _its_turn(loop, its_client, seconds))
            for _ in range(TURNS)
        ]
    return Unjoined(
        statistics.median(our for our, _ in turns),
        statistics.median(its for _, its in turns),
        statistics.median(our / its for our, its in turns),
    )


@contextmanager
def _ours(connections: int, server: Cores, load: Cores) -> Iterator[tuple[Child, LoadClient]]:
    edge = Child("the edge", [sys.executable, "-m", "bench.edge.bare_edge"], server)
    try:
        port = edge.hear()["port"]
        with load_client(load) as client:
            script = [Step(wire.upgrade(f"127.0.0.1:{port}"), UPGRADED)]
            client.connect(port, [script] * connections)
            yield edge, client
    finally:
        edge.stop()


@contextmanager
def _loop(connections: int, server: Cores, load: Cores) -> Iterator[tuple[SendLoop, LoadClient]]:
    with send_loop(connections, server) as loop, load_client(load) as client:
        connect_loop(loop, client, connections)
        yield loop, client


def _our_turn(edge: Child, client: LoadClient, seconds: float) -> float:
    client.reset()
    done = msgspec.convert(edge.ask(f"{seconds}"), BackToBack)
    _require_all(client, done.deliveries, "the edge")
    return done.per_s


def _its_turn(loop: SendLoop, client: LoadClient, seconds: float) -> float:
    client.reset()
    done = loop.back_to_back(seconds)
    _require_all(client, done.deliveries, "the send() loop")
    return done.per_s


def _require_all(client: LoadClient, owed: int, who: str) -> None:
    client.wait(owed, QUIET_S, LIMIT_S)
    report = client.report()
    if report.deliveries != owed or report.holes or report.doubles:
        raise click.ClickException(f"{who} lost something: {report.deliveries} of {owed} came")
