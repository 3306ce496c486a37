"""mosquitto: MQTT 3.1.1 over TCP, QoS 0, no authentication, nothing kept."""

import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load.child import Cores
from bench.load.script import Script, Step
from bench.load.target import Published, Target
from bench.peers.pacing import paced
from bench.peers.running import Dialect, running
from bench.ports import free_port_base

PROGRAM = "mosquitto"
TOPIC = b"bench"
CONNACK = bytes((0x20, 2, 0, 0))
SUBACK = bytes((0x90, 3, 0, 1, 0))
DISCONNECT = bytes((0xE0, 0))

# `user` because a server started as root would not be allowed to read this config.
CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
sys_interval 0
log_dest stderr
log_type error
user root
"""


@contextmanager
def mosquitto(_connections: int, cores: Cores) -> Iterator[Target]:
    """Run a broker on `cores`."""
    port = free_port_base(1)
    with tempfile.TemporaryDirectory(prefix="relaymesh-bench-") as folder:
        config = Path(folder, "mosquitto.conf")
        config.write_text(CONFIG.format(port=port))
        command = [PROGRAM, "-c", str(config)]
        with running(PROGRAM, command, port, cores, Dialect(_script, _publish)) as broker:
            yield broker


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT control packet: the first byte, the length in base 128, the body."""
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | (0x80 if size else 0),))
        if not size:
            return bytes((kind,)) + length + body


def _text(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


def _connect(name: bytes) -> bytes:
    clean_session, never_silent = 0x02, 0
    head = _text(b"MQTT") + struct.pack("!BBH", 4, clean_session, never_silent)
    return packet(0x10, head + _text(name))


def _script(number: int) -> Script:
    subscribe = packet(0x82, struct.pack("!H", 1) + _text(TOPIC) + b"\0")
    return [Step(_connect(b"client-%d" % number), CONNACK), Step(subscribe, SUBACK)]


def _publish(port: int, per_s: float, seconds: float) -> Published:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(_connect(b"publisher"))
        sock.recv(len(CONNACK), socket.MSG_WAITALL)
        head = _text(TOPIC)
        published = paced(per_s, seconds, lambda text: sock.sendall(packet(0x30, head + text)))
        sock.sendall(DISCONNECT)
    return published
