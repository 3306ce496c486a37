"""A socket that has not finished its handshake yet."""

import ssl
from collections.abc import Callable
from socket import SHUT_WR
from typing import Protocol

from access.edge.channel import Channel
from access.edge.counters import EdgeCounters
from access.edge.opening.admission import Places
from access.edge.opening.handshake import Accepted, RefusedError, accept
from access.edge.opening.refusing import Waiting
from access.edge.reactor import Reactor
from access.edge.settings import EdgeSettings


class Host(Protocol):
    """What openings share: given to each by the server."""

    settings: EdgeSettings
    counters: EdgeCounters
    reactor: Reactor
    openings: set[Waiting]
    places: Places

    def refuse_all(self) -> RefusedError | None:
        """Return the answer to a proper handshake when no client can be taken now."""
        ...

    def identified(self, address: str, accepted: Accepted) -> str:
        """Return the client's address; raises `RefusedError` where it may not connect now."""
        ...

    def not_opened(self, address: str, *, failed: bool) -> None:
        """Forget a connection of the address; `failed`: its request was of no use."""
        ...


Opened = Callable[[Channel, str, Accepted], None]
"""Takes over the channel, its peer's address, and what the handshake came to."""


class Opening:
    """Collects the request, answers it, and hands the channel on; all within one deadline.

    A handshake of TLS before it is the channel's own, and within the same deadline.
    """

    __slots__ = (
        "_address",
        "_channel",
        "_data",
        "_due_s",
        "_failed",
        "_host",
        "_opened",
        "_over",
        "_refused",
    )

    def __init__(self, channel: Channel, address: str, host: Host, opened: Opened) -> None:
        self._channel = channel
        self._address = address
        self._host = host
        self._opened = opened
        self._data = b""
        self._refused = False
        self._failed = False
        self._over = False
        self._due_s = host.reactor.now_s + host.settings.handshake_timeout_s
        host.openings.add(self)
        host.reactor.watch(channel, self)
        host.reactor.call_at(self, self._due_s)

    def on_readable(self) -> None:
        """Read once; answer as soon as the request is whole or beyond hope."""
        if self._over:
            return
        try:
            data = self._channel.recv(self._host.settings.max_request_bytes)
        except BlockingIOError:
            return
        except ssl.SSLError:
            self._cut("tls")
            return
        except OSError:
            data = b""
        if not data:
            self._cut("gone")
        elif not self._refused:
            self._data += data
            self._judge()

    def on_writable(self) -> None:
        """Do nothing: an answer fits into the empty buffer of a new socket."""

    def on_deadline(self, now_s: float) -> None:
        """Cut a handshake that takes too long, unless its request waits to be read."""
        if now_s >= self._due_s:
            self.on_readable()
            if not self._over:
                self._cut("timeout")

    def cut(self) -> None:
        """End it: the node drains."""
        if not self._over:
            self._cut("draining")

    def _judge(self) -> None:
        try:
            accepted = accept(self._data, self._host.settings)
            refusal = self._host.refuse_all() if accepted is not None else None
            if accepted is not None and refusal is None:
                self._address = self._host.identified(self._address, accepted)
        except RefusedError as error:
            accepted, refusal = None, error
        if refusal is not None:
            self._refuse(refusal)
        elif accepted is not None:
            self._open(accepted)

    def _open(self, accepted: Accepted) -> None:
        if not self._answer(accepted.answer):
            self._cut("gone")
            return
        self._leave()
        self._opened(self._channel, self._address, accepted)

    def _refuse(self, refusal: RefusedError) -> None:
        self._refused = True
        self._failed = refusal.status < 429
        self._data = b""
        self._host.counters.handshake_errors[refusal.reason] += 1
        if not self._answer(refusal.answer):
            self._cut("gone")
            return
        try:
            # The peer hangs up when it has read the answer: closing first could reset it away.
            self._channel.shutdown(SHUT_WR)
        except OSError:
            self._cut("gone")

    def _answer(self, answer: bytes) -> bool:
        try:
            return self._channel.send(answer) == len(answer)
        except OSError:
            return False

    def _leave(self) -> None:
        self._over = True
        self._data = b""  # the wheel holds this object until its deadline
        self._host.openings.discard(self)
        self._host.places.leave(self)

    def _cut(self, reason: str) -> None:
        if not self._refused:
            self._host.counters.handshake_errors[reason] += 1
        failed = self._failed or reason in ("tls", "timeout")
        self._host.not_opened(self._address, failed=failed)
        self._leave()
        self._host.reactor.close(self._channel)
