"""The baseline of all figures: a C server that calls `send()` in a loop (`send_loop.c`)."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench import wire
from bench.load.child import Child, Cores
from bench.load.compiled import program
from bench.load.script import Script, Step
from bench.load.target import Published

UPGRADED = b"\r\n\r\n"


class BackToBack(msgspec.Struct, frozen=True):
    """Deliveries that were sent, and how many a second."""

    per_s: float
    deliveries: int


class SendLoop:
    """The running loop, a `Target`. It sends once all connections it was started for are there."""

    name = "C send() loop"
    keepalive = b""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.port = port

    def script(self, number: int) -> Script:  # noqa: ARG002
        """See `Target`."""
        return [Step(wire.upgrade("127.0.0.1"), UPGRADED)]

    def cpu_s(self) -> float:
        """See `Target`."""
        return self._child.cpu_s()

    def rss_kb(self) -> float:
        """See `Target`."""
        return self._child.rss_kb()

    def publish(self, per_s: float, seconds: float) -> Published:
        """See `Target`."""
        return Published(int(self._child.ask(f"{per_s} {seconds}")["count"]))

    def back_to_back(self, seconds: float) -> BackToBack:
        """Send without a pause for so long."""
        return msgspec.convert(self._child.ask(f"0 {seconds}"), BackToBack)


@contextmanager
def send_loop(connections: int, cores: Cores) -> Iterator[SendLoop]:
    """Run a loop for `connections` on `cores`."""
    child = Child("the send() loop", [str(program("send_loop")), str(connections)], cores)
    try:
        yield SendLoop(child, int(child.hear()["port"]))
    finally:
        child.stop()
