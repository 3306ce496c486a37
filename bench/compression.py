"""`relaymesh bench compression`: what a delivery takes, plain and compressed.

One edge in this process and two rooms of the same size. The members of one have agreed to
permessage-deflate, those of the other have not. Rounds of ten chat messages, no two alike, go to
them by turns, and a thread reads every socket meanwhile. Prints

- `connections` (of each room), `joined` (messages in a round), `rounds` (to each room);
- `bytes_per_delivery`, `cpu_us_per_delivery` (of the thread that serves, a delivery being one
  message to one member; the median of the turns), `inbound_us` (CPU of reading a client's chat
  message): each with `plain` and `deflated`;
- `compress_us`: CPU of compressing a round, which all members share;
- `bytes_ratio`, `cpu_ratio`: deflated over plain;
- `ok`: every member got every byte of its rounds, and the compressed ones were fewer.
"""

import select
import socket
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import click
import trio

from access.edge.deflate import encode_for, window_bits
from access.edge.frames import encode_text
from access.edge.interface import Connection
from access.edge.opening.deflate_offers import MAX_WINDOW_BITS
from access.edge.opening.listening import listen
from access.edge.reading.reader import Reader
from access.edge.settings import EdgeSettings
from bench import wire
from bench.chat import JOINED, Chat
from bench.edge_alone import EdgeAlone
from bench.room import print_result

TURNS = 5
ROUNDS_A_TURN = 20
TICK_S = 0.02
READS = 3000
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
PLAIN, DEFLATED = "plain", "deflated"
KINDS = (PLAIN, DEFLATED)


class Host(EdgeAlone):
    """A room for each kind; those who connect first are plain."""

    def __init__(self, size: int) -> None:
        super().__init__(EdgeSettings())
        self.rooms = {kind: self.server.audience() for kind in KINDS}
        self._size = size

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.rooms[PLAIN if connection.id <= self._size else DEFLATED].add(connection)

    async def turn(self, kind: str, chat: Chat) -> float:
        """Write some rounds a tick apart; returns the CPU seconds of this thread."""
        cpu_s = 0.0
        for _ in range(ROUNDS_A_TURN):
            message = chat.round()
            started_s = time.thread_time()
            await self.write(message, JOINED, self.rooms[kind])
            cpu_s += time.thread_time() - started_s
            await trio.sleep(TICK_S)
        return cpu_s


class Readers:
    """The clients: a thread that reads from all their sockets and counts the bytes."""

    def __init__(self) -> None:
        self.received_bytes = 0
        self._sockets: dict[int, socket.socket] = {}
        self._epoll = select.epoll()
        self._stop = False
        self._thread = threading.Thread(target=self._read)

    def connect(self, port: int, count: int, request: bytes) -> None:
        """Open `count` connections with the same request."""
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(request)
            answer = sock.recv(4096)
            if not answer.startswith(b"HTTP/1.1 101 "):
                raise click.ClickException(f"refused: {answer.decode(errors='replace')}")
            self._sockets[sock.fileno()] = sock
            self._epoll.register(sock, select.EPOLLIN)

    def __enter__(self) -> "Readers":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop = True
        self._thread.join()
        for sock in self._sockets.values():
            sock.close()
        self._epoll.close()

    def _read(self) -> None:
        while not self._stop:
            for number, _ in self._epoll.poll(0.05, 512):
                self.received_bytes += len(self._sockets[number].recv(1 << 16))


async def measure(connections: int) -> dict[str, Any]:
    """Run all of it, some ten seconds; raises `ClickException` when the edge refuses."""
    host, readers = Host(connections), Readers()
    listener = listen("127.0.0.1", 0, host.server.settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.server.serve, [listener])
        for request in (wire.upgrade("bench"), wire.upgrade("bench")[:-2] + OFFER):
            port = listener.getsockname()[1]
            await trio.to_thread.run_sync(readers.connect, port, connections, request)
        with readers:
            turns = await _alternate(host)
            await _drained(host, readers)
        nursery.cancel_scope.cancel()
    return _figures(turns, connections, host, readers) | _reading()


async def _alternate(host: Host) -> dict[str, list[tuple[float, int]]]:
    """Return for each kind and turn the CPU seconds and the bytes written."""
    turns: dict[str, list[tuple[float, int]]] = {kind: [] for kind in KINDS}
    for seed in range(TURNS):
        for kind in KINDS:
            before = host.server.counters.bytes_out
            cpu_s = await host.turn(kind, Chat(seed))
            turns[kind].append((cpu_s, host.server.counters.bytes_out - before))
    return turns


async def _drained(host: Host, readers: Readers) -> None:
    with trio.move_on_after(5):
        while readers.received_bytes < host.server.counters.bytes_out:
            await trio.sleep(TICK_S)


def _figures(
    turns: dict[str, list[tuple[float, int]]], connections: int, host: Host, readers: Readers
) -> dict[str, Any]:
    count = connections * ROUNDS_A_TURN * JOINED
    sizes = {kind: sum(size for _, size in turns[kind]) / count / TURNS for kind in KINDS}
    cpu_us = {kind: statistics.median(s for s, _ in turns[kind]) / count * 1e6 for kind in KINDS}
    complete = readers.received_bytes == host.server.counters.bytes_out
    return {
        "connections": connections,
        "joined": JOINED,
        "rounds": TURNS * ROUNDS_A_TURN,
        "bytes_per_delivery": {kind: round(size, 1) for kind, size in sizes.items()},
        "cpu_us_per_delivery": {kind: round(us, 3) for kind, us in cpu_us.items()},
        "compress_us": _compress_us(),
        "bytes_ratio": round(sizes[DEFLATED] / sizes[PLAIN], 3),
        "cpu_ratio": round(cpu_us[DEFLATED] / cpu_us[PLAIN], 3),
        "ok": complete and sizes[DEFLATED] < sizes[PLAIN],
    }


def _compress_us() -> float:
    messages = [Chat(seed).round() for seed in range(200)]
    bits = window_bits(MAX_WINDOW_BITS, len(messages[0]))
    cpu_us = _cpu_us(lambda: [encode_for(message, bits) for message in messages])
    return round(cpu_us / len(messages), 1)


def _reading() -> dict[str, Any]:
    """Return the CPU of reading what a client says."""
    text = b'{"op":"chat","id":7,"room":"live-10042","text":"wow nice play","mid":"9f3c71aa"}'
    frames = {PLAIN: encode_text(text), DEFLATED: encode_for(text, MAX_WINDOW_BITS)}
    return {"inbound_us": {kind: _read_us(frame) for kind, frame in frames.items()}}


def _read_us(frame: bytes) -> float:
    masked = bytes((frame[0], frame[1] | 0x80)) + bytes(4) + frame[2:]
    reader = Reader(EdgeSettings().max_message_bytes, inflates=True)
    return round(_cpu_us(lambda: [reader.feed(masked) for _ in range(READS)]) / READS, 1)


def _cpu_us(work: Callable[[], object]) -> float:
    started_s = time.thread_time()
    work()
    return round((time.thread_time() - started_s) * 1e6, 1)


@click.command("compression")
@click.option("--connections", default=1000, show_default=True, help="Members of each room.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(connections: int, as_json: bool) -> None:
    """Bytes and CPU of a delivery, plain and compressed."""
    print_result(trio.run(measure, connections), as_json)


if __name__ == "__main__":
    command()
