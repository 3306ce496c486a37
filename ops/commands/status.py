"""`relaymesh status`: each node of a running cluster, and the arithmetic of its links."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ops.cluster.plan import LOOPBACK
from ops.commands import options
from ops.errors import Failure
from ops.gateway import Gateway
from ops.watch.run import watch

TIMEOUT_S = 5.0
DAY_S = 24 * 3600
CLOSED = (401, 403)
"""The gateway wants a server's token."""

COLUMNS = (
    *("id", "role", "region", "up", "restarts", "links", "connections", "rooms"),
    *("lag", "drops", "skipped", "certificate", "lane_depths"),
)
SUMMED = ("lag", "drops", "skipped")
"""Tables of which eyes need the sum; `--json` has them whole."""


@click.command("status")
@options.port_base
@options.state_dir("State folder of the cluster, where restarts are counted.")
@options.secret_file
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.option("--watch", "watched", is_flag=True, help="Go on, with rates, until Ctrl-C.")
@click.option(
    "--interval-s",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0.2, max=3600),
    help="Seconds between two looks of --watch.",
)
def command(
    port_base: int,
    state_dir: Path,
    secret_file: Path | None,
    as_json: bool,
    watched: bool,
    interval_s: float,
) -> None:
    """Show each node, links, lane depths, connections and rooms of a running cluster.

    A gateway with `open_status = false` is asked with a token that is signed with the secret in
    --secret-file, else in RELAYMESH_TOKEN_SECRET, else of the local cluster in --state-dir.
    """
    if as_json and watched:
        raise click.UsageError("--watch and --json: give one of them")
    known = partial(ask, port_base, state_dir, secret_file)
    if watched:
        _watch(known, interval_s)
        return
    status = with_restarts(known(), recorded(state_dir, port_base))
    click.echo(json.dumps(status) if as_json else table(status))


def _watch(known: Callable[[], dict[str, Any]], interval_s: float) -> None:
    console = Console()
    if not console.is_terminal:
        raise Failure("--watch needs a terminal; --json is for programs")
    watch(known, interval_s, console)


def ask(
    port_base: int, state_dir: Path | None = None, secret_file: Path | None = None
) -> dict[str, Any]:
    """Return what the gateway at `port_base` says; raises `Failure` if none answers, or where it
    wants a token and there is no secret to sign one with."""
    url = f"http://{LOOPBACK}:{port_base}/v1/status"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            status: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code not in CLOSED or state_dir is None:
                raise Failure(f"{url} answers {error.code}") from None
        closed: dict[str, Any] = Gateway(port_base, state_dir, secret_file).get("/v1/status")
        return closed
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise Failure(
            f"no cluster answers at {url} ({getattr(error, 'reason', error)}); "
            "start one with `relaymesh up`, or give its --port-base"
        ) from None
    return status


def recorded(state_dir: Path, port_base: int) -> dict[str, Any]:
    """Return what the supervisor of that cluster recorded of its nodes, if this is its folder."""
    try:
        record = json.loads((state_dir / "cluster.json").read_text())
    except (OSError, ValueError):
        return {}
    nodes: dict[str, Any] = record["nodes"] if record.get("port_base") == port_base else {}
    return nodes


def with_restarts(status: dict[str, Any], nodes: dict[str, Any]) -> dict[str, Any]:
    """Return `status` with the process id and the restarts of each node that is recorded.

    A node that the supervisor looks after and the gateway does not know is shown as not up.
    """
    seen = {node["id"]: node for node in (*status["nodes"], *status.get("lost", ()))}
    for name, known in nodes.items():
        if known["role"] != "redis":
            node = seen.setdefault(name, {"id": name, "role": known["role"], "up": False})
            node.update(pid=known["pid"], restarts=known["restarts"])
    return {**status, "nodes": list(seen.values())}


def table(status: dict[str, Any]) -> str:
    """Return the status as a table for eyes."""
    rows = [[_column(node, column) for column in COLUMNS] for node in status["nodes"]]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [list(COLUMNS), *rows]
    ]
    return "\n".join([*lines, "", _links(status["links"]), *_hot(status), *_alerts(status)])


def _alerts(status: dict[str, Any]) -> list[str]:
    """Return a line for each thing that somebody should look at."""
    return [f"{alert['severity']}: {alert['summary']}" for alert in status.get("alerts", ())]


def _hot(status: dict[str, Any]) -> list[str]:
    """Return a line for each pool and each hot room."""
    pools = [
        f"pool {pool['pool']}: {pool['ready']} of {pool['nodes']} nodes ready, "
        f"{pool['connections']} connections"
        for pool in status.get("pools", ())
    ]
    rooms = [
        f"room {room['room']}: {room['state']}" + (f", pool {room['pool']}" if room["pool"] else "")
        for room in status.get("hot_rooms", ())
    ]
    return pools + rooms


def _column(node: dict[str, Any], column: str) -> str:
    value = node.get(column)
    if column == "certificate" and value:
        return f"{(value['expires_s'] - time.time()) / DAY_S:.0f} days"
    return _cell(sum(value.values()) if column in SUMMED and value else value)


def _links(links: dict[str, Any]) -> str:
    text = f"links: {links['held']} held, {links['full_mesh']} in a full mesh"
    relays = links.get("relay_links", {"wanted": 0})
    if not relays["wanted"]:
        return text
    return f"{text}; relays of other regions: {relays['held']} of {relays['wanted']}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(f"{name}:{_cell(inner)}" for name, inner in value.items()) or "-"
    if isinstance(value, list):
        return str(len(value))
    return str(value)
