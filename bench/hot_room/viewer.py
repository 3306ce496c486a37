"""One viewer's connection, from the handshake to the last push. Sockets that never block."""

import socket
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench import wire
from bench.hot_room.watch import Watch

READ_BYTES = 65_536
HELLO_ID = 0

_decode = msgspec.json.decode


class State(Enum):
    """How far a connection is."""

    AWAY = "away"
    CONNECTING = "connecting"
    UPGRADING = "upgrading"
    GREETING = "greeting"
    LIVE = "live"
    LEFT = "left"


class Viewer:
    """A viewer that connects again and again, and has one `Watch` all the while.

    `on_move` is told of each `move`; `node` is where it is.
    """

    def __init__(self, token: str, room: str, on_move: Callable[["Viewer", Any], None]) -> None:
        self.watch = Watch()
        self.state = State.AWAY
        self.node = ""
        self.sock: socket.socket | None = None
        self.refused_resumes = 0
        self._token = token
        self._room = room
        self._on_move = on_move
        self._messages = wire.Messages()
        self._buffer = b""
        self._url = ""
        self._resume = ""

    @property
    def close_code(self) -> int | None:
        """The code that the server closed with, if it did."""
        return self._messages.close_code

    def connect(self, url: str, resume: str = "") -> socket.socket:
        """Begin to connect to `url`; the socket is writable when it is connected."""
        self._url, self._resume, self._buffer = url, resume, b""
        self._messages = wire.Messages()
        parts = urlsplit(url)
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex((parts.hostname, parts.port or 80))
        self.state = State.CONNECTING
        return self.sock

    def writable(self) -> None:
        """Go on once the socket is connected; raises `OSError` where it is not."""
        assert self.sock is not None
        parts = urlsplit(self._url)
        self.sock.send(wire.upgrade(parts.netloc, parts.path))
        self.state = State.UPGRADING

    def readable(self) -> bool:
        """Take what has come; false when the connection has ended."""
        assert self.sock is not None
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        if self.state is State.UPGRADING:
            data = self._upgraded(data)
        for payload in self._messages.feed(data):
            for frame in _decode(payload):
                self._take(frame)
        return self.close_code is None

    def stay_alive(self) -> None:
        """Say that the viewer lives."""
        if self.sock is not None and self.state is State.LIVE:
            self.sock.send(wire.PONG)

    def hang_up(self, state: State = State.AWAY) -> None:
        """End the connection, reading first what has come already."""
        if self.sock is not None:
            self._read_rest()
            self.sock.close()
            self.sock = None
        self.state = state

    def _read_rest(self) -> None:
        if self.state is State.LIVE:
            self.readable()

    def _upgraded(self, data: bytes) -> bytes:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            status = head.partition(b"\r\n")[0].decode(errors="replace")
            raise ConnectionError(f"refused: {status}")
        self._say_hello()
        return rest

    def _say_hello(self) -> None:
        assert self.sock is not None
        join = {"room": self._room, "since": self.watch.since()}
        hello = {"op": "hello", "id": HELLO_ID, "token": self._token, "join": [join]}
        if self._resume:
            hello["resume"] = self._resume
        self.sock.send(wire.text(msgspec.json.encode(hello)))
        self.state = State.GREETING

    def _take(self, frame: dict[str, Any]) -> None:
        if "reply" in frame:
            self._answered(frame)
        elif frame["push"] == "move":
            self._on_move(self, frame)
        elif frame.get("room") == self._room:
            self.watch.take(frame)

    def _answered(self, frame: dict[str, Any]) -> None:
        if "error" in frame:
            if frame["error"].get("field") != "resume":
                raise ConnectionError(f"hello was refused: {frame['error']}")
            self.refused_resumes += 1
            self._resume = ""
            self._say_hello()
            return
        room = frame["ok"]["rooms"][self._room]
        if "error" in room:
            raise ConnectionError(f"the join was refused: {room['error']}")
        self.watch.joined(room["streams"])
        self.node, self.state = frame["ok"]["node"], State.LIVE
