"""Certificates for the processes of a bench, made as a user makes them."""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

TlsTable = dict[str, str]
"""The keys of a config's table `tls`; empty: links are not encrypted."""

NO_TLS: TlsTable = {}


@contextmanager
def certificates(*roles: str) -> Iterator[dict[str, TlsTable]]:
    """Give a certificate for any node of each of `roles`, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        _certs(folder, "init")
        yield {role: tomllib.loads(_certs(folder, "issue", role, "*")) for role in roles}


def _certs(folder: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "ops", "certs", *arguments, "--dir", folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
