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

TURNS = 3
QUIET_S = 0.3
LIMIT_S = 10.0


class Unjoined(NamedTuple):
    """Medians, in deliveries a second, and the median of our share in each turn. `loop_share_of_c`
    is that of the loop; `share_of_c` that of the path that the edge chooses."""

    deliveries_per_s: float
    c_loop_deliveries_per_s: float
    share_of_c: float
    loop_share_of_c: float


def unjoined(connections: int, seconds: float, server: Cores, load: Cores) -> Unjoined:
    """Measure all by turns, with the same number of connections; three times `seconds` each."""
    with ExitStack() as stack:
        edges = [stack.enter_context(_ours("auto", connections, server, load))]
        if edges[0].write_path != "loop":
            edges.append(stack.enter_context(_ours("loop", connections, server, load)))
        loop, its_client = stack.enter_context(_loop(connections, server, load))
        turns = [
            (_its_turn(loop, its_client, seconds), [_our_turn(edge, seconds) for edge in edges])
            for _ in range(TURNS)
        ]
    return Unjoined(
        statistics.median(ours[0] for _, ours in turns),
        statistics.median(its for its, _ in turns),
        statistics.median(ours[0] / its for its, ours in turns),
        statistics.median(ours[-1] / its for its, ours in turns),
    )


class _Edge(NamedTuple):
    write_path: str
    child: Child
    client: LoadClient


@contextmanager
def _ours(path: str, connections: int, server: Cores, load: Cores) -> Iterator[_Edge]:
    edge = Child("the edge", [sys.executable, "-m", "bench.edge.bare_edge", path], server)
    try:
        about = edge.hear()
        with load_client(load) as client:
            script = [Step(wire.upgrade(f"127.0.0.1:{about['port']}"), UPGRADED)]
            client.connect(about["port"], [script] * connections)
            yield _Edge(about["write_path"], edge, client)
    finally:
        edge.stop()


@contextmanager
def _loop(connections: int, server: Cores, load: Cores) -> Iterator[tuple[SendLoop, LoadClient]]:
    with send_loop(connections, server) as loop, load_client(load) as client:
        client.connect(loop.port, map(loop.script, range(connections)))
        yield loop, client


def _our_turn(edge: _Edge, seconds: float) -> float:
    edge.client.reset()
    done = msgspec.convert(edge.child.ask(f"{seconds}"), BackToBack)
    _require_all(edge.client, done.deliveries, "the edge")
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
