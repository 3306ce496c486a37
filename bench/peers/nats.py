"""NATS: `nats-server` without authentication, its own protocol over TCP."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.load.child import Cores
from bench.load.script import Script, Step
from bench.load.target import Published, Target
from bench.peers.pacing import paced
from bench.peers.running import Dialect, running
from bench.ports import free_port_base

PROGRAM = "nats-server"
SUBJECT = b"bench"
CONNECT = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
PING, PONG = b"PING\r\n", b"PONG\r\n"


@contextmanager
def nats(_connections: int, cores: Cores) -> Iterator[Target]:
    """Run a server on `cores`."""
    port = free_port_base(1)
    command = [PROGRAM, "--addr", "127.0.0.1", "--port", str(port)]
    with running(PROGRAM, command, port, cores, Dialect(_script, _publish, PONG)) as server:
        yield server


def _script(_number: int) -> Script:
    return [Step(CONNECT + b"SUB %b 1\r\n" % SUBJECT + PING, PONG)]


def _publish(port: int, per_s: float, seconds: float) -> Published:
    def send(payload: bytes) -> None:
        sock.sendall(b"PUB %b %d\r\n%b\r\n" % (SUBJECT, len(payload), payload))

    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(CONNECT)
        published = paced(per_s, seconds, send)
        _flush(sock)
    return published


def _flush(sock: socket.socket) -> None:
    """Wait until the server has taken all: it answers in order."""
    sock.sendall(PING)
    answer = b""
    while not answer.endswith(PONG):
        answer = answer[-len(PONG) :] + sock.recv(4096)
