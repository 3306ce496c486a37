"""`relaymesh api-key`: keys for back ends, kept in a file that gateways read."""

import json
import secrets
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from ops.cluster.state_dir import API_KEYS_FILE
from ops.commands import options
from ops.errors import Failure, Refusal
from proto.errors import RequestError
from router.gateway.keys.api_key import ApiKey, digest, new_secret, token_of
from router.gateway.keys.file import append, load_keys
from router.gateway.keys.ring import ApiKeys
from router.gateway.scopes import MEANINGS, Scope

SCOPES = "\n\n".join(f"{scope}: {meaning}" for scope, meaning in MEANINGS.items())
_file = click.option(
    "--file", "given", type=click.Path(path_type=Path), help="File of keys, in its place."
)
_state_dir = options.state_dir("State folder of the local cluster whose keys are meant.")


@click.group("api-key")
def command() -> None:
    """Make and look at keys for back ends.

    They are in --file, which `router.gateway.api_keys_file` names, or else of the local cluster in
    --state-dir. A running router reads the file on SIGHUP.
    """


@command.command("new", epilog=f"Scopes:\n\n{SCOPES}")
@click.argument("key_id", metavar="ID")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="What it may do; `all`: everything."
)
@click.option("--room", "rooms", multiple=True, metavar="PATTERN", help="Rooms; all if not given.")
@click.option("--user", "users", multiple=True, metavar="PATTERN", help="Users; all if not given.")
@click.option("--per-s", default=100.0, show_default=True, help="Calls a second on average.")
@click.option("--burst", default=200, show_default=True, help="Calls at once.")
@click.option("--days", type=int, help="After how many days it expires; never if not given.")
@click.option("--note", default="", help="Whose it is.")
@_file
@_state_dir
def new(
    key_id: str,
    scopes: tuple[str, ...],
    rooms: tuple[str, ...],
    users: tuple[str, ...],
    per_s: float,
    burst: int,
    days: int | None,
    note: str,
    given: Path | None,
    state_dir: Path,
) -> None:
    """Make the key ID, and print its token: this once, since only its digest is kept."""
    file, secret = _where(given, state_dir), new_secret(secrets.token_bytes)
    fields: dict[str, object] = {
        "id": key_id,
        "sha256": digest(secret),
        "scopes": list(Scope) if "all" in scopes else scopes,
        "rooms": rooms or ["*"],
        "users": users or ["*"],
        "per_s": per_s,
        "burst": burst,
        "note": note,
        "expires": None if days is None else _in_days(days),
    }
    _add(file, fields)
    click.echo(token_of(key_id, secret))
    click.echo(f"{file} has the key {key_id}; send SIGHUP to running routers.", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@_file
@_state_dir
def show(given: Path | None, state_dir: Path, *, as_json: bool) -> None:
    """Show what each key may do."""
    keys = _load(_where(given, state_dir))
    if as_json:
        click.echo(json.dumps([_shown(key) for key in keys]))
        return
    for key in keys:
        click.echo(_line(key))


@command.command("check")
@_file
@_state_dir
def check(given: Path | None, state_dir: Path) -> None:
    """Say whose key the token on standard input is, or check the file alone where there is none."""
    file = _where(given, state_dir)
    keys = _load(file)
    token = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    if not token:
        click.echo(f"{file} can be used: {len(keys)} keys")
        return
    try:
        click.echo(_line(ApiKeys(keys).verify(token, time.time())))
    except RequestError as error:
        raise Failure(error.body.message) from None


def _where(given: Path | None, state_dir: Path) -> Path:
    return given or state_dir / API_KEYS_FILE


def _load(file: Path) -> list[ApiKey]:
    try:
        return load_keys(str(file))
    except ValueError as error:
        raise Failure(str(error).removeprefix("gateway.api_keys_file: ")) from None


def _add(file: Path, fields: Mapping[str, object]) -> None:
    """Put a key into the file, which is made where there is none; raises `Refusal`, `Failure`."""
    try:
        key = msgspec.convert(fields, ApiKey)
    except msgspec.ValidationError as error:
        raise Refusal(f"{error}; scopes are all, {', '.join(Scope)}") from None
    if file.exists() and key.id in {each.id for each in _load(file)}:
        raise Refusal(f"{file} has a key {key.id} already")
    try:
        append(file, key)
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}") from None


def _in_days(days: int) -> datetime:
    if days < 1:
        raise Refusal(f"--days: expected at least 1, got {days}")
    return datetime.fromtimestamp(int(time.time()) + days * 86_400, UTC)


def _shown(key: ApiKey) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(key)
    del found["sha256"]
    return found


def _line(key: ApiKey) -> str:
    until = f"until {key.expires:%Y-%m-%d}" if key.expires else "for good"
    where = f"rooms {','.join(key.rooms)} users {','.join(key.users)}"
    rate = f"{key.per_s:g}/s burst {key.burst}"
    note = f"  ({key.note})" if key.note else ""
    return f"{key.id}: {', '.join(key.scopes)}; {where}; {rate}; {until}{note}"
