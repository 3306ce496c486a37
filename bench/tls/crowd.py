"""The clients: many sockets, read by one thread that looks at nothing, not even into the TLS."""

import os
import select
import socket
import ssl
import threading
import time

import click

from bench import wire
from bench.tls.certificate import NAME

READ_BYTES = 1 << 16
QUIET_S = 0.2
TOGETHER = 50


class Crowd:
    """Clients of one port; `trust` is what they speak TLS with, `None`: plain."""

    def __init__(self, port: int, trust: ssl.SSLContext | None) -> None:
        self.received_bytes = 0
        """Off the sockets: with TLS that is more than what the edge counts."""
        self._port = port
        self._trust = trust
        self._sockets: list[socket.socket] = []
        self._epoll = select.epoll()
        self._stop = False
        self._thread = threading.Thread(target=self._read, daemon=True)

    def connect(self, count: int) -> None:
        """Open so many connections, some at a time so that the edge is busy, and start reading."""
        while (missing := count - len(self._sockets)) > 0:
            fresh = [self._dialed() for _ in range(min(TOGETHER, missing))]
            if self._trust is not None:
                fresh = _secured(fresh, self._trust)
            for sock in fresh:
                sock.sendall(wire.upgrade(NAME))
            for sock in fresh:
                _finish(sock)
                self._epoll.register(sock.fileno(), select.EPOLLIN)
            self._sockets += fresh
        self._thread.start()

    def settle(self) -> None:
        """Return when nothing has come for a moment."""
        seen = -1
        while seen != self.received_bytes:
            seen = self.received_bytes
            time.sleep(QUIET_S)

    def end(self) -> None:
        """Hang up."""
        self._stop = True
        if self._thread.is_alive():
            self._thread.join()
        for sock in self._sockets:
            sock.close()

    def _dialed(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _read(self) -> None:
        while not self._stop:
            for number, _ in self._epoll.poll(0.05, 512):
                self.received_bytes += len(os.read(number, READ_BYTES))


def _secured(socks: list[socket.socket], trust: ssl.SSLContext) -> list[socket.socket]:
    """Make all handshakes side by side."""
    secured = [
        trust.wrap_socket(sock, server_hostname=NAME, do_handshake_on_connect=False)
        for sock in socks
    ]
    for sock in secured:
        sock.setblocking(False)
    waiting = [sock for sock in secured if not _shaken(sock)]
    while waiting:
        _wait_for_any(waiting)
        waiting = [sock for sock in waiting if not _shaken(sock)]
    for sock in secured:
        sock.setblocking(True)
    return list(secured)


def _wait_for_any(socks: list[ssl.SSLSocket]) -> None:
    poll = select.poll()  # select.select() knows no descriptors above 1023
    for sock in socks:
        poll.register(sock, select.POLLIN)
    poll.poll()


def _shaken(sock: ssl.SSLSocket) -> bool:
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _finish(sock: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        part = sock.recv(4096)
        if not part:
            raise click.ClickException(f"refused: {answer.decode(errors='replace')}")
        answer += part
