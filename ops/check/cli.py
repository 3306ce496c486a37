"""The command line of `relaymesh check`."""

import json
import os
import sys
from pathlib import Path

import click
import trio

from ops.check.cluster import Gateway
from ops.check.report import Check, Report
from ops.check.run import run
from ops.cluster.plan import LOOPBACK
from ops.commands import options
from ops.config.sources import RECEIPT_SECRET_VARIABLE, SECRET_VARIABLE
from ops.errors import Failure


@click.command("check")
@click.option("--url", default="", metavar="URL", help="Of the gateway; in place of --port-base.")
@options.port_base
@options.state_dir("State folder of a local cluster, for its token secret.")
@options.secret_file
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    url: str, port_base: int, state_dir: Path, secret_file: Path | None, as_json: bool
) -> None:
    """Join a running cluster with real clients on every access node; verify what it delivers.

    Tokens are signed with the secret in --secret-file, else in RELAYMESH_TOKEN_SECRET, else of the
    local cluster in --state-dir. Where there is none, the gateway's demo gives tokens, and what
    back ends publish is not checked. So it is with receipts of gifts and RELAYMESH_RECEIPT_SECRET;
    where there is no demo either, no gifts are given. Exits 1 when a check fails.
    """
    gateway = Gateway(url or f"http://{LOOPBACK}:{port_base}")
    secret = _secret(secret_file, state_dir, port_base, url)
    paid = os.environ.get(RECEIPT_SECRET_VARIABLE, "")
    paid = paid or ("" if url else _local_secret(state_dir, port_base, "receipt_secret"))
    try:
        report = trio.run(run, gateway, secret, paid)
    except Failure as failure:
        if not as_json:
            raise
        report = Report([Check("reach_the_cluster", False, failure.message)])
    click.echo(json.dumps(report.as_json()) if as_json else report.as_table())
    sys.exit(0 if report.ok else 1)


def _secret(file: Path | None, state_dir: Path, port_base: int, url: str) -> str:
    """Return the token secret, or "" where none is known."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Failure(f"--secret-file {file}: {error.strerror}") from None
    if SECRET_VARIABLE in os.environ:
        return os.environ[SECRET_VARIABLE]
    return "" if url else _local_secret(state_dir, port_base, "token_secret")


def _local_secret(state_dir: Path, port_base: int, name: str) -> str:
    """Return the secret `name` of the cluster in `state_dir`, if it is the one at `port_base`."""
    try:
        running = json.loads((state_dir / "cluster.json").read_text())
        secret: str = json.loads((state_dir / "secrets.json").read_text())[name]
    except (OSError, ValueError, KeyError):
        return ""
    return secret if running.get("port_base") == port_base else ""
