"""A part of the crowd of `bench.storm`: connects all at once when told to, and counts the answers.

Takes its orders as JSON on the command line, writes `{}` when it is ready, waits for a line, and
writes what became of its clients. It is nice to everybody else on its core, since those it shares
it with are measured.
"""

import os
import resource
import select
import socket
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench import wire
from bench.room import hello
from proto.tokens import Claims, mint

REPLY = b'"reply":'
TOKEN_LIFE_S = 3600
TOGETHER = 100
"""Connects begun between two looks at the others: a client says its request as soon as it can."""

_FILES_BESIDE = 50


class Orders(msgspec.Struct, frozen=True):
    """Where to connect and how often; `limit_s` bounds the whole."""

    url: str
    secret: str
    room: str
    number: int
    connects: int
    limit_s: float


class Outcome(msgspec.Struct):
    """What became of the clients."""

    admitted: int
    retry_after_s: list[int]
    """What each refused client was told."""
    others: dict[str, int]
    seconds: float

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.admitted + other.admitted,
            self.retry_after_s + other.retry_after_s,
            dict(Counter(self.others) + Counter(other.others)),
            max(self.seconds, other.seconds),
        )


class Storm:
    """Clients, each with the text of its hello until that is sent."""

    def __init__(self, orders: Orders) -> None:
        parts = urlsplit(orders.url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._request = wire.upgrade(parts.netloc, parts.path)
        self._orders = orders
        self._epoll = select.epoll()
        self._hellos = [wire.text(_hello(orders, n)) for n in range(orders.connects)]
        self._open: dict[int, tuple[socket.socket, bytes]] = {}
        self._kept: list[socket.socket] = []
        self._outcome = Outcome(0, [], {}, 0.0)

    def run(self) -> Outcome:
        """Let all connect and wait until each has its answer, or the time is up."""
        began = time.monotonic()
        for number, text in enumerate(self._hellos, 1):
            self._connect(text)
            if number % TOGETHER == 0:
                self._poll(0)
        while self._open and time.monotonic() - began < self._orders.limit_s:
            self._poll(0.1)
            self._outcome.seconds = time.monotonic() - began
        if self._open:
            self._outcome.others["no answer"] = len(self._open)
        return self._outcome

    def _poll(self, wait_s: float) -> None:
        for fd, mask in self._epoll.poll(wait_s, 1024):
            self._serve(fd, mask)

    def _connect(self, text: bytes) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        # An address of its own, as 20,000 ports of one are most of what there are.
        sock.bind((f"127.0.0.{10 + self._orders.number}", 0))
        sock.connect_ex(self._address)
        self._open[sock.fileno()] = (sock, text)
        self._epoll.register(sock.fileno(), select.EPOLLOUT)

    def _serve(self, fd: int, mask: int) -> None:
        sock, text = self._open[fd]
        try:
            if mask & select.EPOLLOUT:
                sock.send(self._request)
                self._epoll.modify(fd, select.EPOLLIN)
            else:
                self._hear(sock, text, sock.recv(4096))
        except OSError as error:
            self._end(sock, type(error).__name__)

    def _hear(self, sock: socket.socket, text: bytes, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 101"):
            sock.send(text)
        elif data.startswith(b"HTTP/1.1 503") and b"Retry-After: " in data:
            told = data.partition(b"Retry-After: ")[2].partition(b"\r")[0]
            self._outcome.retry_after_s.append(int(told))
            self._end(sock)
        elif REPLY in data and b'"error"' not in data:
            self._outcome.admitted += 1
            del self._open[sock.fileno()]
            self._epoll.unregister(sock.fileno())
            self._kept.append(sock)  # connected until this process ends
        elif REPLY in data or data[:1] not in (b"\x81", b"\x82"):
            self._end(sock, f"{data[:12]!r}")

    def _end(self, sock: socket.socket, why: str = "") -> None:
        del self._open[sock.fileno()]
        self._epoll.unregister(sock.fileno())
        sock.close()
        if why:
            self._outcome.others[why] = self._outcome.others.get(why, 0) + 1


def _hello(orders: Orders, number: int) -> bytes:
    uid = f"storm-{orders.number}-{number}"
    claims = Claims(sub=uid, name=uid, exp=int(time.time()) + TOKEN_LIFE_S)
    return hello(mint(claims, orders.secret), orders.room)


def _answer(line: Any) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Do as the command line says."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    files = orders.connects + _FILES_BESIDE
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))
    storm = Storm(orders)
    os.nice(5)
    _answer(b"{}")
    sys.stdin.readline()
    _answer(msgspec.json.encode(storm.run()))


if __name__ == "__main__":
    main()
