"""Notices a server that is gone: silence, then a ping, then the end. No I/O."""

from enum import Enum, auto

HELLO_S = 10.0
"""Seconds that the answer to `hello` may take."""
PING_S = 10.0
"""Seconds that the answer to a `ping` may take."""


class Verdict(Enum):
    """What a silent connection calls for."""

    PING = auto()
    GIVE_UP = auto()


class Keepalive:
    """Says when to ping and when to give a connection up."""

    def __init__(self) -> None:
        self._heartbeat_s = 25.0
        self._due: float | None = None
        self._probing = True

    def opened(self, now: float) -> None:
        """The connection is open and `hello` was sent."""
        self._due, self._probing = now + HELLO_S, True

    def greeted(self, heartbeat_s: float, now: float) -> None:
        """`hello` was answered."""
        self._heartbeat_s = heartbeat_s
        self.heard(now)

    def heard(self, now: float) -> None:
        """The server said something after its answer to `hello`."""
        self._due, self._probing = now + self._heartbeat_s, False

    def closed(self) -> None:
        """There is no connection."""
        self._due = None

    def check(self, now: float) -> Verdict | None:
        """Return what to do about the silence, if anything."""
        if self._due is None or now < self._due:
            return None
        if self._probing:
            self._due = None
            return Verdict.GIVE_UP
        self._due, self._probing = now + PING_S, True
        return Verdict.PING

    def next_due(self) -> float | None:
        """Return when `check` has something to say."""
        return self._due
