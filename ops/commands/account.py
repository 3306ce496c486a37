"""`relaymesh account`: end what a user, or one login, was given."""

import json
from pathlib import Path
from urllib.parse import quote

import click

from ops.commands import options
from ops.errors import Refusal
from ops.gateway import Gateway
from proto.ids import SESSION_ID_PATTERN, UID_PATTERN, is_session_id, is_uid


@click.group("account")
def command() -> None:
    """Look after users' accounts and logins."""


@command.command("revoke")
@click.argument("uid", required=False)
@click.option("--session", "sid", metavar="SID", help="One login alone, the token's `sid`.")
@options.port_base
@options.state_dir("State folder of the local cluster whose secret is used.")
@options.secret_file
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def revoke(
    uid: str | None,
    sid: str | None,
    port_base: int,
    state_dir: Path,
    secret_file: Path | None,
    as_json: bool,
) -> None:
    """Revoke all tokens that UID has, or those of one login, and close the connections.

    Who is revoked may log in again, unless whoever issues tokens refuses that.
    """
    path = _path(uid, sid)
    answer = Gateway(port_base, state_dir, secret_file).post(path)
    click.echo(json.dumps(answer) if as_json else f"revoked: {uid or sid}")


def _path(uid: str | None, sid: str | None) -> str:
    if (uid is None) == (sid is None):
        raise Refusal("name a UID, or one login with --session SID, and not both")
    if uid is not None:
        if not is_uid(uid):
            raise Refusal(f"UID: {uid!r} is none; it must match {UID_PATTERN}")
        return f"/v1/users/{quote(uid, safe='')}/revoke"
    assert sid is not None
    if not is_session_id(sid):
        raise Refusal(f"--session: {sid!r} is none; it must match {SESSION_ID_PATTERN}")
    return f"/v1/logins/{quote(sid, safe='')}/revoke"
