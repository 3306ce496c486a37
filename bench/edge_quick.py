"""The WebSocket edge alone, without sessions and mesh: what it costs and how fast it fans out.

The edge runs in a process on one core, the load client on another. Prints `connects_per_s` (by the
edge's CPU time), `idle_kb_per_connection` (user memory), `inbound_us` (CPU for a frame of 60 B),
`deliveries_per_s` (176 B, one frame a write) beside `loop_deliveries_per_s` (a bare loop over the
same sockets) and `share_of_loop`, each the median of three alternating runs; with ten messages
joined `joined_deliveries_per_s`; `cpu_us_per_delivery` of both; and `load_cpu_share`, below 1 if
the load client was not the bottleneck. `ok`: all connected and nothing was left out.
"""

import os
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import Any

import click
import msgspec

from bench import wire
from bench.cluster import pin_apart
from bench.room import print_result

RUN_S = 1.5
JOINED = 10
INBOUND_ROUNDS = 10
TOGETHER = 200
RECEIVE_BYTES = 1 << 20


class EdgeProcess:
    """The process under test, asked over its standard input."""

    def __init__(self, cores: set[int] | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.edge_host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if cores is not None:
            os.sched_setaffinity(self._process.pid, cores)
        self.port: int = self._read()["port"]

    def ask(self, *request: object) -> dict[str, Any]:
        """Have it do something and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(request) + b"\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> None:
        """End it and wait."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = msgspec.json.decode(self._process.stdout.readline())
        return answer


class Readers:
    """The load client: many sockets, read by one thread that looks at nothing."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._sockets: dict[int, socket.socket] = {}
        self._epoll = select.epoll()
        self._stop = False
        self._thread = threading.Thread(target=self._drain)

    def connect(self, count: int) -> None:
        """Open connections, some hundreds at a time so that the edge always has some waiting."""
        while (missing := count - len(self._sockets)) > 0:
            fresh = [socket.create_connection(self._address) for _ in range(min(TOGETHER, missing))]
            for sock in fresh:
                sock.sendall(wire.upgrade("127.0.0.1"))
            for sock in fresh:
                self._finish(sock)

    def say(self, frame: bytes) -> None:
        """Send the frame on every connection."""
        for sock in self._sockets.values():
            sock.send(frame)

    def start(self) -> None:
        """Read from now on."""
        self._thread.start()

    def end(self) -> None:
        """Stop reading and close."""
        self._stop = True
        self._thread.join()
        for sock in self._sockets.values():
            sock.close()

    def _finish(self, sock: socket.socket) -> None:
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            part = sock.recv(4096)
            if not part:
                raise click.ClickException(f"refused: {answer.decode(errors='replace')}")
            answer += part
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock, select.EPOLLIN)

    def _drain(self) -> None:
        buffer = bytearray(RECEIVE_BYTES)
        while not self._stop:
            for number, _ in self._epoll.poll(0.05, 512):
                self._sockets[number].recv_into(buffer)


def measure(connections: int) -> dict[str, Any]:
    """Run all of it; takes about 15 s."""
    edge_cores, load_cores = pin_apart()
    if load_cores is not None:
        os.sched_setaffinity(0, load_cores)
    edge = EdgeProcess(edge_cores)
    try:
        readers = Readers(edge.port)
        result = _connect(edge, readers, connections) | _inbound(edge, readers, connections)
        readers.start()
        result |= _fan_out(edge)
        readers.end()
        last = edge.ask("stat")
    finally:
        edge.end()
    return result | {"ok": last["opened"] == connections and last["thinned"] == 0}


def _connect(edge: EdgeProcess, readers: Readers, connections: int) -> dict[str, Any]:
    before = edge.ask("stat")
    readers.connect(connections)
    after = edge.ask("stat")
    used_bytes = after["rss_bytes"] - before["rss_bytes"]
    return {
        "connections": connections,
        "connects_per_s": round(connections / (after["cpu_s"] - before["cpu_s"])),
        "idle_kb_per_connection": round(used_bytes / 1024 / connections, 2),
    }


def _inbound(edge: EdgeProcess, readers: Readers, connections: int) -> dict[str, Any]:
    before = edge.ask("heard", 0)
    frame = wire.text(b'"%b"' % (b"x" * 58))
    for number in range(1, INBOUND_ROUNDS + 1):
        readers.say(frame)
        after = edge.ask("heard", number * connections)
    cpu_s = after["cpu_s"] - before["cpu_s"]
    return {"inbound_us": round(cpu_s / connections / INBOUND_ROUNDS * 1e6, 1)}


def _fan_out(edge: EdgeProcess) -> dict[str, Any]:
    started, cpu_s = time.perf_counter(), time.process_time()
    ours, bare = [], []
    for _ in range(3):
        ours.append(edge.ask("rounds", 1, RUN_S))
        bare.append(edge.ask("loop", RUN_S)["per_s"])
    joined = edge.ask("rounds", JOINED, RUN_S)
    single = statistics.median(run["per_s"] for run in ours)
    load_share = (time.process_time() - cpu_s) / (time.perf_counter() - started)
    return {
        "deliveries_per_s": round(single),
        "loop_deliveries_per_s": round(statistics.median(bare)),
        "share_of_loop": round(single / statistics.median(bare), 2),
        "cpu_us_per_delivery": round(statistics.median(run["cpu_us"] for run in ours), 2),
        "joined_deliveries_per_s": round(joined["per_s"]),
        "joined_cpu_us_per_delivery": round(joined["cpu_us"], 2),
        "load_cpu_share": round(load_share, 2),
    }


@click.command()
@click.option("--connections", default=1000, show_default=True, help="Open connections.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(connections: int, as_json: bool) -> None:
    """Measure the WebSocket edge alone."""
    print_result(measure(connections), as_json)


if __name__ == "__main__":
    command()
