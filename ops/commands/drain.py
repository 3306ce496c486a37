"""`relaymesh drain`: have one node hand over its work and end."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import click

from ops.commands import options
from ops.errors import Failure
from ops.gateway import Gateway, NoGatewayError

POLL_S = 0.1
AWAY_S = 5.0
"""A gateway that was drained itself and has not come back by then will not."""


class Drained(NamedTuple):
    """How a drain ended: `now` is the incarnation that lives in its place, "" where none does."""

    node: str
    incarnation: str
    now: str
    seconds: float


@click.command("drain")
@click.argument("node")
@options.port_base
@options.state_dir("State folder of the local cluster whose secret is used.")
@options.secret_file
@click.option(
    "--timeout-s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Seconds to wait until it has ended.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(
    node: str,
    port_base: int,
    state_dir: Path,
    secret_file: Path | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Have NODE hand over its work and end, and wait until it has.

    Whoever supervises the node may start it again: `relaymesh up` does so at once.
    """
    gateway = Gateway(port_base, state_dir, secret_file)
    drained = drain(gateway, node, timeout_s, time.monotonic, time.sleep)
    click.echo(json.dumps(drained._asdict()) if as_json else line(drained))


def drain(
    gateway: Gateway,
    node: str,
    timeout_s: float,
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
) -> Drained:
    """Order the drain and wait until that life of the node is over.

    Raises `Failure` for a node that does not live, and for one that is not done in `timeout_s`.
    """
    began_s = now_s()
    incarnation = gateway.post(f"/v1/nodes/{quote(node, safe='')}/drain")["incarnation"]
    heard_s = now_s()
    while now_s() - began_s < timeout_s:
        sleep(POLL_S)
        try:
            now = _incarnation(gateway.get("/v1/status"), node)
            heard_s = now_s()
        except NoGatewayError:
            # The gateway drains as other routers do, and is away until it is started again.
            if now_s() - heard_s < AWAY_S:
                continue
            now = ""
        if now != incarnation:
            return Drained(node, incarnation, now, round(now_s() - began_s, 2))
    raise Failure(f"{node} has been told to drain and has not ended within {timeout_s:g} s")


def line(drained: Drained) -> str:
    """Return what happened as a line for eyes."""
    after = f"life {drained.now} is in its place" if drained.now else "nothing is in its place yet"
    return f"{drained.node}: life {drained.incarnation} ended in {drained.seconds:.1f} s; {after}"


def _incarnation(status: dict[str, Any], node: str) -> str:
    living = {each["id"]: str(each["incarnation"]) for each in status["nodes"]}
    return living.get(node, "")
