"""One connection of a viewer, from the handshake to its end. A socket that never blocks."""

import socket
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench import wire

READ_BYTES = 65_536
RETRY_S = 1.0

_decode = msgspec.json.decode


class State(Enum):
    """How far a connection is."""

    CONNECTING = "connecting"
    UPGRADING = "upgrading"
    OPEN = "open"


class RefusedError(Exception):
    """The handshake was refused; the message is the status line."""

    def __init__(self, status: str, retry_after_s: float) -> None:
        super().__init__(status)
        self.retry_after_s = retry_after_s


class Line:
    """Raises `OSError` and `RefusedError` where it has failed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.node = ""
        self.state = State.CONNECTING
        self._messages = wire.Messages()
        self._buffer = b""
        parts = urlsplit(url)
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex((parts.hostname, parts.port or 80))

    @property
    def close_code(self) -> int | None:
        """The code that the server closed with, if it did."""
        return self._messages.close_code

    def writable(self) -> None:
        """Go on once the socket is connected."""
        parts = urlsplit(self.url)
        self.sock.send(wire.upgrade(parts.netloc, parts.path))
        self.state = State.UPGRADING

    def read(self) -> list[dict[str, Any]] | None:
        """Return the frames that have come; `None` when the connection has ended."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            return None
        if self.state is State.UPGRADING:
            data = self._upgraded(data)
        frames = [frame for payload in self._messages.feed(data) for frame in _decode(payload)]
        return None if self.close_code and not frames else frames

    def send(self, request: dict[str, Any]) -> None:
        """Send a request; requests are small, so the socket always takes them."""
        self.sock.send(wire.text(msgspec.json.encode(request)))

    def stay_alive(self) -> None:
        """Say that the viewer lives."""
        self.sock.send(wire.PONG)

    def _upgraded(self, data: bytes) -> bytes:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            told = head.partition(b"Retry-After: ")[2].partition(b"\r")[0]
            status = head.partition(b"\r\n")[0].decode(errors="replace")
            raise RefusedError(status, float(told) if told.isdigit() else RETRY_S)
        self.state = State.OPEN
        return rest
