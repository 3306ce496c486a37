"""haproxy as what ends TLS before a plain node: one thread, nothing else to do."""

import shutil
import socket
import time
from pathlib import Path

import click

from bench.load.child import Child, Cores
from bench.ports import free_port_base

START_LIMIT_S = 10.0
CONFIG = """
global
  nbthread 1
  maxconn {connections}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend clients
  bind 127.0.0.1:{port} ssl crt {certificate} alpn http/1.1
  default_backend node
backend node
  server node 127.0.0.1:{node_port}
"""


def haproxy() -> str | None:
    """Return where haproxy is, if it is on PATH."""
    return shutil.which("haproxy")


def start(
    program: str, certificate: Path, node_port: int, connections: int, cores: Cores
) -> tuple[Child, int]:
    """Return the running proxy and its port; the config lies beside `certificate`."""
    port = free_port_base(1)
    config = certificate.with_name("haproxy.cfg")
    config.write_text(
        CONFIG.format(
            port=port, node_port=node_port, certificate=certificate, connections=connections + 100
        )
    )
    child = Child("haproxy", [program, "-db", "-q", "-f", str(config)], cores)
    _wait_until_listening(child, port)
    return child, port


def _wait_until_listening(child: Child, port: int) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        child.check()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise click.ClickException("haproxy does not listen")
