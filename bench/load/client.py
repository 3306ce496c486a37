"""The load client as a measurement uses it: a handle on `client.c`."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click
import msgspec

from bench.load.child import Child, Cores
from bench.load.compiled import program
from bench.load.script import Script, encoded

IN_PROGRESS = 80
"""Connections opened at a time: the server always has some before it, and none of them overflows
the queue of a listener that holds a hundred (mosquitto)."""

CONNECT_LIMIT_S = 60.0
ALIVE_S = 15.0
"""Servers ping after 25 s (ours, Centrifugo) and more."""


class Connected(msgspec.Struct, frozen=True):
    """What became of a batch of connections, and how many seconds they took together."""

    opened: int
    refused: int
    seconds: float
    first_refusal: str


class Report(msgspec.Struct, frozen=True):
    """What the load client has seen since the last reset; times from publishing to the read."""

    deliveries: int
    holes: int
    """Numbers that a connection has missed."""
    doubles: int
    """Numbers that came again or out of order."""
    bytes: int
    reads: int
    matches: int
    lost_connections: int
    open: int
    first_published_ns: int
    last_received_ns: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    cpu_s: float
    wall_s: float

    @property
    def per_s(self) -> float:
        """Deliveries a second, from the first publishing to the last delivery."""
        return self.deliveries * 1e9 / max(self.last_received_ns - self.first_published_ns, 1)

    @property
    def cpu_share(self) -> float:
        """The load client's own share of a core."""
        return self.cpu_s / self.wall_s


class LoadClient:
    """Many connections to one server on the loopback."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        """The process id of the client."""
        return self._child.pid

    def connect(
        self, port: int, scripts: Iterable[Script], in_progress: int = IN_PROGRESS
    ) -> Connected:
        """Open a connection for each script; raises `ClickException` where one is refused."""
        done = self.try_connect(port, scripts, in_progress)
        if done.refused:
            raise click.ClickException(
                f"{done.refused} of {done.opened + done.refused} connections were refused, "
                f"the first with: {done.first_refusal}"
            )
        return done

    def try_connect(self, port: int, scripts: Iterable[Script], in_progress: int) -> Connected:
        """Open a connection for each script, `in_progress` at a time; some may be refused."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(encoded(scripts))
            file.flush()
            limit_ms = round(CONNECT_LIMIT_S * 1000)
            answer = self._child.ask(f"connect {port} {file.name} {in_progress} {limit_ms}")
        return msgspec.convert(answer, Connected)

    def reset(self) -> None:
        """Forget all figures, and which numbers came last."""
        self._child.ask("reset")

    def report(self) -> Report:
        """Return the figures since the last reset."""
        return msgspec.convert(self._child.ask("report"), Report)

    def wait(self, deliveries: int, quiet_s: float, limit_s: float) -> None:
        """Return at so many deliveries since the reset, or when nothing comes for `quiet_s`."""
        self._child.ask(f"await {deliveries} {_ms(quiet_s)} {_ms(limit_s)}")

    def count(self, pattern: bytes) -> None:
        """Count `pattern` as well, at most 29 bytes; nothing where it is empty."""
        self._child.ask(f"pattern {pattern.hex()}")

    def say(self, message: bytes, per_s: float, count: int) -> int:
        """Send `message` `count` times at an even pace, one connection after the other; returns
        how many were sent."""
        return int(self._child.ask(f"say {message.hex()} {per_s} {count}")["sent"])

    def keep_alive(self, message: bytes) -> None:
        """Send `message` on every connection every now and then; nothing where it is empty."""
        self._child.ask(f"keepalive {ALIVE_S if message else 0} {message.hex()}")

    def stop_reading(self, count: int) -> None:
        """Leave `count` connections unread."""
        self._child.ask(f"stop-reading {count}")

    def resume_reading(self) -> None:
        """Read all connections again."""
        self._child.ask("resume-reading")

    def close(self) -> None:
        """Close all connections."""
        self._child.ask("close")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@contextmanager
def load_client(cores: Cores) -> Iterator[LoadClient]:
    """Run a load client on `cores`."""
    child = Child("the load client", [str(program("client"))], cores)
    try:
        yield LoadClient(child)
    finally:
        child.stop()
