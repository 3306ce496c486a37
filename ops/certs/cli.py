"""The command line of `relaymesh certs`."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ops.certs.folder import CA_DAYS, NODE_DAYS, ROLES, Folder, Issued
from ops.errors import Failure, Refusal

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
MOST_DAYS = 36_500

_folder = click.option(
    "--dir",
    "path",
    default="certs",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with the authority and what it has issued; of `up`: STATE-DIR/certs.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _days(default: float, whose: str) -> Callable[[F], F]:
    return click.option(
        "--days",
        default=default,
        show_default=True,
        type=click.FloatRange(min=0, min_open=True, max=MOST_DAYS),
        help=f"Time of {whose}.",
    )


@click.group("certs")
def command() -> None:
    """Make and renew the certificates with which a cluster's nodes link to each other."""


@command.command("init")
@_folder
@_days(CA_DAYS, "the authority")
def init(path: Path, days: float) -> None:
    """Make a certificate authority for a cluster.

    Whoever has its key, ca.key, can add nodes: keep it off the nodes' machines.
    """
    _in(path, lambda folder: folder.init(days))
    click.echo(f"{path / 'ca.pem'}: the authority; its key, ca.key, stays here")


@command.command("issue")
@click.argument("role", type=click.Choice(ROLES))
@click.argument("node")
@_folder
@_days(NODE_DAYS, "the certificate")
def issue(role: str, node: str, path: Path, days: float) -> None:
    """Issue a certificate for NODE (or '*': every node of the role) of ROLE, with a new key.

    One that there is already is replaced: a node that runs takes it over.
    """
    try:
        files = _in(path, lambda folder: folder.issue(role, node, days))
    except ValueError as error:
        raise Refusal(f"NODE: {error}") from None
    for key, file in files._asdict().items():
        click.echo(f'{key} = "{file}"')


@command.command("show")
@_folder
@_json
def show(path: Path, as_json: bool) -> None:
    """Show the authority and the certificates in the folder, and when they end."""
    _print(_in(path, lambda folder: [folder.shown_authority(), *folder.issued()]), as_json)


@command.command("renew")
@_folder
@click.option("--all", "every", is_flag=True, help="Also those that have more than a third left.")
@_days(NODE_DAYS, "each certificate")
@_json
def renew(path: Path, every: bool, days: float, as_json: bool) -> None:
    """Issue anew, with new keys, the certificates that have less than a third of their time left.

    Nodes that run take them over within two seconds, and no link or client is dropped.
    """
    _print(_in(path, lambda folder: folder.renew(every=every, days=days)), as_json)


def _in(path: Path, work: Callable[[Folder], T]) -> T:
    try:
        return work(Folder(path))
    except OSError as error:
        raise Failure(f"{error.filename or path}: {error.strerror}") from None


def _print(issued: list[Issued], as_json: bool) -> None:
    now = dt.datetime.now(dt.UTC)
    rows = [_row(each, now) for each in issued]
    if as_json:
        click.echo(json.dumps(rows))
    elif not rows:
        click.echo("none")
    for row in [] if as_json else rows:
        left = f"ends {row['ends']}, {row['days_left']} days left"
        click.echo(f"{row['certificate']:<24}  {left}  {row['cert_file']}")


def _row(each: Issued, now: dt.datetime) -> dict[str, Any]:
    return {
        "certificate": f"{each.role}/{each.node}" if each.node else each.role,
        "ends": each.ends.date().isoformat(),
        "expires_s": int(each.ends.timestamp()),
        "days_left": (each.ends - now).days,
        **each.files._asdict(),
    }
