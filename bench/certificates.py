"""Certificates for the processes of a bench, made as a user makes them."""

import subprocess
import sys
import tomllib
from pathlib import Path

TlsTable = dict[str, str]
"""The keys of a config's table `tls`; empty: links are not encrypted."""

NO_TLS: TlsTable = {}


def make_certificates(folder: Path, *roles: str) -> dict[str, TlsTable]:
    """Make an authority in `folder`, and a certificate for any node of each of `roles`."""
    _certs(folder, "init")
    return {role: tomllib.loads(_certs(folder, "issue", role, "*")) for role in roles}


def _certs(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ops", "certs", *arguments, "--dir", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
