"""Centrifugo 6: JSON over WebSocket, published through its HTTP API, no authentication."""

import http.client
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import wire
from bench.load.child import Cores
from bench.load.script import Script, Step
from bench.load.target import Published, Target
from bench.peers.pacing import paced
from bench.peers.running import Dialect, running
from bench.ports import free_port_base

PROGRAM = "centrifugo"
CHANNEL = "bench"
PING_INTERVAL = "1h"
"""A pong must answer a ping (one unasked ends the connection), and the load client answers none."""

CONNECT = wire.text(b'{"id":1,"connect":{}}')
SUBSCRIBE = wire.text(b'{"id":2,"subscribe":{"channel":"%b"}}' % CHANNEL.encode())


@contextmanager
def centrifugo(_connections: int, cores: Cores) -> Iterator[Target]:
    """Run a server on `cores`."""
    port = free_port_base(1)
    with tempfile.TemporaryDirectory(prefix="relaymesh-bench-") as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(_config(port)))
        command = [PROGRAM, "--config", str(config)]
        with running(PROGRAM, command, port, cores, Dialect(_script, _publish)) as server:
            yield server


def _config(port: int) -> dict[str, object]:
    return {
        "http_server": {"address": "127.0.0.1", "port": str(port)},
        "client": {"insecure": True, "ping_interval": PING_INTERVAL},
        "http_api": {"insecure": True},
        "log": {"level": "error"},
    }


def _script(_number: int) -> Script:
    return [
        Step(wire.upgrade("127.0.0.1", "/connection/websocket"), b"\r\n\r\n"),
        Step(CONNECT, b'"connect":{'),
        Step(SUBSCRIBE, b'"subscribe":{'),
    ]


def _publish(port: int, per_s: float, seconds: float) -> Published:
    def send(payload: bytes) -> None:
        body = json.dumps({"channel": CHANNEL, "data": payload.decode()})
        api.request("POST", "/api/publish", body, {"Content-Type": "application/json"})
        api.getresponse().read()

    api = http.client.HTTPConnection("127.0.0.1", port)
    try:
        return paced(per_s, seconds, send)
    finally:
        api.close()
