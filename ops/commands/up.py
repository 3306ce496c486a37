"""`relaymesh up`: a local cluster of real processes from one command."""

import contextlib
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import trio

from ops.cluster.options import UpOptions
from ops.cluster.plan import DEFAULT_PORT_BASE
from ops.cluster.prepare import prepare_cluster
from ops.cluster.run import run_cluster
from ops.cluster.summary import demo_page, human, machine
from ops.errors import Failure, one_line
from ops.processes.supervisor import Supervisor
from ops.settings import Level

F = TypeVar("F", bound=Callable[..., Any])
_folder = click.Path(path_type=Path, file_okay=False)
_program = click.Path(path_type=Path, exists=True, dir_okay=False)


def _count(name: str, default: int, what: str) -> Callable[[F], F]:
    return click.option(name, default=default, show_default=True, help=f"Number of {what}.")


@click.command("up")
@click.option("--port-base", default=DEFAULT_PORT_BASE, show_default=True, help="First port.")
@click.option(
    "--state-dir",
    default=".relaymesh",
    show_default=True,
    type=_folder,
    help="Folder for secrets, configs, logs and data.",
)
@_count("--relays", 2, "relays")
@_count("--access", 2, "access nodes")
@_count("--routers", 1, "routers; the first has the gateway and the demo page")
@_count("--logics", 1, "logic nodes")
@click.option(
    "--most-dedicated",
    default=4,
    show_default=True,
    help="Most access nodes started for hot rooms; 0: no room becomes hot.",
)
@click.option("--bus", type=click.Choice(["redis", "rocketmq"]), default="redis", show_default=True)
@click.option("--bus-url", default="", metavar="HOST:PORT", help="A running RocketMQ name server.")
@click.option(
    "--database-url", default="", metavar="URL", help="A PostgreSQL in place of the SQLite file."
)
@click.option("--redis-server", type=_program, help="Server program to use for the store.")
@click.option("--log-level", type=click.Choice(get_args(Level)), default="info", show_default=True)
@click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="For all nodes.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def command(as_json: bool, **options: Any) -> None:
    """Start a local cluster of real processes and look after it until Ctrl-C.

    It stays on the loopback interface, makes its own secrets and keeps everything in the state
    folder. With RocketMQ the broker must be running, and with --database-url
    (postgresql+psycopg://…) that server; everything else is embedded.
    """
    cluster = prepare_cluster(UpOptions(**options))

    def serving() -> None:
        if not as_json:
            click.echo(demo_page(cluster))

    def announce(supervisor: Supervisor) -> None:
        click.echo(machine(cluster, supervisor) if as_json else human(cluster))

    async def run() -> None:
        await run_cluster(cluster, serving=serving, announce=announce, report=_report)

    try:
        trio.run(run)
    except ExceptionGroup as errors:
        raise Failure(one_line(errors)) from errors


def _report(line: str) -> None:
    """Show `line` unless that would wait: nobody may hold the cluster by not reading, and the logs
    have it all.
    """
    with contextlib.suppress(OSError, ValueError):
        _, writable, _ = select.select([], [sys.stderr], [], 0)
        if writable:
            click.echo(line, err=True)
