"""The command line of `just bench-peers`."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import msgspec

from bench.cluster import pin_apart
from bench.edge.topology import edge_target
from bench.load.child import Cores
from bench.load.send_loop import send_loop
from bench.load.target import Target
from bench.peers import centrifugo, mosquitto, nats
from bench.peers.row import Start, Turn, row, turn
from bench.peers.table import table

PEERS: dict[str, Start] = {
    nats.PROGRAM: nats.nats,
    mosquitto.PROGRAM: mosquitto.mosquitto,
    centrifugo.PROGRAM: centrifugo.centrifugo,
}


@contextmanager
def _ours(_connections: int, _cores: Cores) -> Iterator[Target]:
    with edge_target() as target:
        yield target


@click.command()
@click.option("--turns", default=3, show_default=True, type=click.IntRange(1, 99))
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(turns: int, as_json: bool) -> None:
    """Measure our edge beside a C loop and the servers that are on PATH."""
    signal.signal(signal.SIGTERM, _end)
    here = {name: start for name, start in PEERS.items() if shutil.which(name)}
    for name in PEERS.keys() - here.keys():
        click.echo(f"{name} is not on PATH: left out", err=True)
    servers: dict[str, Start] = {"relaymesh access": _ours, "C send() loop": send_loop, **here}
    done: dict[str, list[Turn]] = {name: [] for name in servers}
    cores = pin_apart()
    for number in range(1, turns + 1):
        for name, start in servers.items():
            click.echo(f"turn {number} of {turns}: {name}", err=True)
            done[name].append(turn(start, *cores))
    rows = [row(name, found) for name, found in done.items()]
    click.echo(msgspec.json.encode(rows).decode() if as_json else table(rows))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # ended as by Ctrl-C, so that all servers are


if __name__ == "__main__":
    command()
