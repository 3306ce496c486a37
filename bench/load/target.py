"""What a measurement needs of a server, ours or another's."""

from typing import Protocol

import msgspec

from bench.load.script import Script


class Published(msgspec.Struct, frozen=True):
    """What was published: how many messages, and how late the latest was against its time."""

    count: int
    late_ms: float = 0.0


class Target(Protocol):
    """A server on a core of its own with one room, and whatever publishes into it."""

    name: str
    port: int
    keepalive: bytes
    """What a client says so that it is not closed for silence."""

    def script(self, number: int) -> Script:
        """Return what client `number` says and waits for until it is in the room."""

    def cpu_s(self) -> float:
        """Return the CPU seconds that the server has used."""

    def rss_kb(self) -> float:
        """Return the memory that the server has in use."""

    def publish(self, per_s: float, seconds: float) -> Published:
        """Publish to the room at an even pace; returns at the end of it."""
