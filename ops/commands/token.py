"""`relaymesh token`: mint a token for a client."""

import json
import os
import time
from pathlib import Path

import click

from ops.commands import options
from ops.config.sources import SECRET_VARIABLE
from ops.errors import Failure, Refusal
from proto.tokens import Claims, mint


@click.command("token")
@click.argument("uid")
@click.option("--host", "rooms", multiple=True, metavar="ROOM", help="A room that UID hosts.")
@click.option("--mod", "mods", multiple=True, metavar="ROOM", help="A room that UID moderates.")
@click.option("--server", is_flag=True, help="A back end: may publish to any room and user.")
@click.option("--name", default="", help="Name shown to other clients.")
@click.option("--ttl-s", default=3600, show_default=True, help="Seconds until it expires.")
@options.state_dir("State folder of the local cluster whose secret signs it.")
@options.secret_file
def command(
    uid: str,
    rooms: tuple[str, ...],
    mods: tuple[str, ...],
    server: bool,
    name: str,
    ttl_s: int,
    state_dir: Path,
    secret_file: Path | None,
) -> None:
    """Print a token for UID.

    It is signed with the secret in --secret-file, else in the environment variable
    RELAYMESH_TOKEN_SECRET, else of the local cluster in --state-dir.
    """
    if ttl_s <= 0:
        raise Refusal(f"--ttl-s: expected at least 1, got {ttl_s}")
    now_s = int(time.time())
    claims = Claims(
        sub=uid,
        exp=now_s + ttl_s,
        iat=now_s,
        name=name,
        role="server" if server else "viewer",
        host=rooms,
        mod=mods,
    )
    try:
        click.echo(mint(claims, secret(secret_file, state_dir)))
    except ValueError as error:
        raise Refusal(str(error)) from None


def secret(
    file: Path | None,
    state_dir: Path,
    name: str = "token_secret",
    variable: str = SECRET_VARIABLE,
) -> str:
    """Return the secret `name` of a local cluster, unless `file` or the environment's `variable`
    has one; raises `Failure`."""
    try:
        if file:
            return file.read_text(encoding="utf-8").strip()
        if variable in os.environ:
            return os.environ[variable]
        found: str = json.loads((state_dir / "secrets.json").read_text())[name]
    except FileNotFoundError as error:
        raise Failure(
            f"no secret: {error.filename} does not exist; start a cluster with `relaymesh up`, or "
            f"give --secret-file or {variable}"
        ) from None
    return found
