"""Another's server as a process of the measurement."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click

from bench.load.child import Child, Cores
from bench.load.script import Script
from bench.load.target import Published

START_LIMIT_S = 10.0
Publish = Callable[[int, float, float], Published]
"""Takes the server's port, messages a second and seconds."""


@dataclass(frozen=True)
class Dialect:
    """How clients speak to one kind of server."""

    script: Callable[[int], Script]
    publish: Publish
    keepalive: bytes = b""


class Running:
    """A running server, a `Target`."""

    def __init__(self, name: str, child: Child, port: int, dialect: Dialect) -> None:
        self.name = name
        self.port = port
        self.keepalive = dialect.keepalive
        self.script = dialect.script
        self.cpu_s = child.cpu_s
        self.rss_kb = child.rss_kb
        self._publish = dialect.publish

    def publish(self, per_s: float, seconds: float) -> Published:
        """See `Target`."""
        return self._publish(self.port, per_s, seconds)


@contextmanager
def running(
    name: str, command: Sequence[str], port: int, cores: Cores, dialect: Dialect
) -> Iterator[Running]:
    """Run `command` on `cores`, and wait until it listens at `port` of the loopback."""
    child = Child(name, command, cores)
    try:
        _until_listening(child, port)
        yield Running(name, child, port, dialect)
    finally:
        child.stop()


def _until_listening(child: Child, port: int) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        child.check()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise click.ClickException(f"{child.name} does not listen at {port}")
