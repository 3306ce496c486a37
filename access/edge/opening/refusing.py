"""Sending a client away before anything is spent on it: 503, and when to come back.

The answer is made beforehand. In a storm the request has arrived before its connection is accepted,
so it takes one read, one write and a close; only a slow request is waited for, since closing a
socket with unread input would reset the connection and could take the answer back.
"""

import math
from random import Random
from typing import Protocol

from access.edge.channel import Channel
from access.edge.counters import EdgeCounters
from access.edge.opening.addresses import Refused
from access.edge.opening.handshake import RefusedError, plain_answer
from access.edge.reactor import Reactor
from access.edge.settings import EdgeSettings

END_OF_HEAD = b"\r\n\r\n"
TOO_MUCH = "too much from this address: later"
DETAIL = "no room here now: try another node, or later"


class Waiting(Protocol):
    """A socket in its handshake, or one that is being sent away."""

    def cut(self) -> None:
        """End it: the node drains."""
        ...


class Host(Protocol):
    """What refusals share: given to each by the server."""

    settings: EdgeSettings
    counters: EdgeCounters
    reactor: Reactor
    openings: set[Waiting]


class Refusals:
    """The answers, one for each number of seconds: a crowd sent away at once comes back spread."""

    def __init__(self, spread_s: int, rng: Random) -> None:
        self._headers = [("Retry-After", str(seconds)) for seconds in range(1, spread_s + 1)]
        self._answers = [plain_answer(503, DETAIL, (header,)) for header in self._headers]
        self._spread_s = spread_s
        self._rng = rng

    def draw(self) -> bytes:
        """Return one of them at random."""
        return self._rng.choice(self._answers)

    def to_address(self, refused: Refused) -> RefusedError:
        """Return the outcome of a handshake from an address that has to wait."""
        retry_s = math.ceil(refused.retry_s) + self._rng.randrange(self._spread_s)
        return RefusedError(429, refused.reason, TOO_MUCH, ("Retry-After", str(retry_s)))

    def error(self, reason: str) -> RefusedError:
        """Return one of them as the outcome of a handshake; `reason` labels its metric."""
        return RefusedError(503, reason, DETAIL, self._rng.choice(self._headers))


def turn_away(channel: Channel, host: Host, answer: bytes) -> None:
    """Answer the request on an accepted socket and close it, now or when the request is whole."""
    data = _receive(channel, host.settings.max_request_bytes)
    if data is not None and not _is_whole(data, host.settings):
        Refusal(channel, host, answer, data)
        return
    if data is not None:
        _say(channel, answer)
    channel.close()


class Refusal:
    """A socket whose request is not whole yet. Owned by the reactor; see `reactor.Owner`."""

    __slots__ = ("_answer", "_channel", "_data", "_due_s", "_host", "_over")

    def __init__(self, channel: Channel, host: Host, answer: bytes, data: bytes) -> None:
        self._channel = channel
        self._host = host
        self._answer = answer
        self._data = data
        self._over = False
        self._due_s = host.reactor.now_s + host.settings.handshake_timeout_s
        host.openings.add(self)
        host.reactor.watch(channel, self)
        host.reactor.call_at(self, self._due_s)

    def on_readable(self) -> None:
        """Read once; answer and close when the request is whole."""
        if self._over:
            return
        data = _receive(self._channel, self._host.settings.max_request_bytes)
        self._data += data or b""
        if data is None:
            self.cut()
        elif _is_whole(self._data, self._host.settings):
            _say(self._channel, self._answer)
            self.cut()

    def on_writable(self) -> None:
        """Do nothing: the answer fits into the empty buffer of a new socket."""

    def on_deadline(self, now_s: float) -> None:
        """Cut a request that takes too long, unless it waits to be read."""
        if now_s >= self._due_s:
            self.on_readable()
            self.cut()

    def cut(self) -> None:
        """Close the socket."""
        if not self._over:
            self._over = True
            self._host.openings.discard(self)
            self._host.reactor.close(self._channel)


def _receive(channel: Channel, most_bytes: int) -> bytes | None:
    """Return what has arrived, b"" of nothing yet, `None` when the peer is gone."""
    try:
        return channel.recv(most_bytes) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _is_whole(data: bytes, settings: EdgeSettings) -> bool:
    return END_OF_HEAD in data or len(data) >= settings.max_request_bytes


def _say(channel: Channel, answer: bytes) -> None:
    try:
        channel.send(answer)
    except OSError:
        pass  # it has gone already
