"""A crowd of viewers over plain sockets: most count what arrives, some read every message.

One process holds thousands of them in one epoll, so that the load generator needs a fraction of
its core; `Crowd.cpu_s` shows that it is not what is being measured.
"""

import select
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import trio

from bench import wire

_READ_BYTES = 16_384
"""Much more than a round; a larger buffer would be mapped anew for each read."""

_SETTLE_S = 30.0

OnMessage = Callable[["Viewer", list[dict[str, Any]]], None]
"""Takes a reading viewer and the frames of one server message."""


@dataclass(slots=True, eq=False)
class Viewer:
    """One connection. `counted` counts the pattern of the crowd in all bytes that arrived;
    `messages` is set for those that read."""

    sock: socket.socket
    node: str
    messages: wire.Messages | None
    counted: int = 0
    skips: int = 0
    tail: bytes = b""
    gone: bool = False

    def send(self, frame: bytes) -> None:
        """Send one request (JSON); requests are small, so the socket always takes them."""
        self.sock.sendall(wire.text(frame))


class Crowd:
    """Viewers of one or more rooms. `pattern` is what a counted push carries in its bytes."""

    def __init__(self, pattern: bytes, on_message: OnMessage) -> None:
        self.viewers: list[Viewer] = []
        self._pattern = pattern
        self._on_message = on_message
        self._epoll = select.epoll()
        self._by_fd: dict[int, Viewer] = {}

    def connect(
        self, urls: Sequence[str], hellos: Iterable[bytes], *, reading: bool = False
    ) -> list[Viewer]:
        """Open a connection for each hello, spread over `urls`, and wait for all answers.

        `reading` viewers decode each message and hand it to `on_message`. Blocks: call it in a
        thread. Raises `ConnectionError` with the server's answer when one is refused.
        """
        opened = [
            _open(urls[number % len(urls)], hello, reading) for number, hello in enumerate(hellos)
        ]
        for viewer in opened:
            self._take(viewer, _until_reply(viewer))
        return opened

    async def read(self) -> None:
        """Read for all viewers until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, _ in self._epoll.poll(0, 512):
                self._read(self._by_fd[fd])
            await trio.lowlevel.checkpoint()

    async def stay_alive(self, every_s: float = 15.0) -> None:
        """Tell the nodes now and then that the viewers live, until cancelled."""
        while True:
            await trio.sleep(every_s)
            for viewer in self.viewers:
                if not viewer.gone:
                    viewer.sock.send(wire.PONG)

    async def settle(self, done: Callable[[], bool], limit_s: float = _SETTLE_S) -> bool:
        """Wait until `done()`, at most `limit_s`; says whether it came true."""
        with trio.move_on_after(limit_s):
            while not done():
                await trio.sleep(0.05)
        return done()

    def close(self) -> None:
        """Close every connection."""
        for viewer in self.viewers:
            viewer.sock.close()
        self._epoll.close()

    def _take(self, viewer: Viewer, first: bytes) -> None:
        self.viewers.append(viewer)
        viewer.sock.setblocking(False)
        self._by_fd[viewer.sock.fileno()] = viewer
        self._epoll.register(viewer.sock.fileno(), select.EPOLLIN)
        if first:
            self._count(viewer, first)

    def _read(self, viewer: Viewer) -> None:
        try:
            data = viewer.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._count(viewer, data)
        else:
            viewer.gone = True
            self._epoll.unregister(viewer.sock.fileno())

    def _count(self, viewer: Viewer, data: bytes) -> None:
        pattern = self._pattern
        # What the last read cut off may be the start of a pattern.
        whole = viewer.tail + data
        viewer.counted += whole.count(pattern)
        viewer.tail = whole[-(len(pattern) - 1) :]
        if b'"skipped"' in data:
            viewer.skips += 1
        if viewer.messages is not None:
            for payload in viewer.messages.feed(data):
                self._on_message(viewer, msgspec.json.decode(payload))


def _open(url: str, hello: bytes, reading: bool) -> Viewer:
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(wire.upgrade(parts.netloc, parts.path))
    _until_upgraded(sock)
    sock.sendall(wire.text(hello))
    return Viewer(sock, url, wire.Messages() if reading else None)


def _until_upgraded(sock: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        # The server says nothing before `hello`, so the answer ends where the bytes do.
        part = sock.recv(4096)
        if not part:
            raise ConnectionError(f"the handshake was refused: {answer[:200]!r}")
        answer += part
    if not answer.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"the handshake was refused: {answer[:200]!r}")


def _until_reply(viewer: Viewer) -> bytes:
    answer = b""
    while b'"reply":' not in answer:
        part = viewer.sock.recv(_READ_BYTES)
        if not part:
            raise ConnectionError(f"hello was refused: {answer[-200:]!r}")
        answer += part
    if b'"error":' in answer:
        raise ConnectionError(f"hello was refused: {answer[-300:]!r}")
    return answer


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie; 0.0 of none."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
