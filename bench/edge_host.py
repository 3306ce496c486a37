"""The process under test of `bench.edge_quick`: an edge that does what its standard input asks.

One JSON array a line in (`["rounds", 10, 2.0]`), one JSON object a line out.
"""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import trio

from access.edge.frames import encode_text
from access.edge.interface import Batch, Connection, Skipped
from access.edge.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings
from proto import server_frames
from proto.priorities import Priority

FRAME = b'"%b"' % (b"x" * 174)
"""176 bytes, as the comparisons with other servers use."""


class Host:
    """A session layer that puts everybody in one room and counts what they say."""

    def __init__(self) -> None:
        self.messages_in = 0
        self.server = Server(EdgeSettings(), self, _encode_skipped)
        self.room = self.server.audience()
        self.seq = 0

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.room.add(connection)

    def received(self, _connection: Connection, _text: bytes) -> None:
        """See `Handler`."""
        self.messages_in += 1

    def closed(self, _connection: Connection, _code: int) -> None:
        """See `Handler`."""

    async def stat(self) -> dict[str, Any]:
        """Return what this process has used and done so far."""
        gc.collect()
        return {
            "rss_bytes": _rss_bytes(),
            "cpu_s": time.process_time(),
            "opened": self.server.counters.opened,
            "thinned": sum(self.server.counters.thinned),
        }

    async def heard(self, count: int) -> dict[str, Any]:
        """Wait until `count` messages have come in; returns the CPU time used so far."""
        while self.messages_in < count:
            await trio.sleep(0.002)
        return {"cpu_s": time.process_time()}

    async def rounds(self, joined: int, seconds: float) -> dict[str, Any]:
        """Write rounds of `joined` messages one after the other, through the whole fan-out."""
        message = server_frames.message([FRAME] * joined)
        deliveries = self.server.counters.deliveries
        before, started, cpu_s = sum(deliveries), time.perf_counter(), time.process_time()
        while time.perf_counter() - started < seconds:
            await self._round(message, joined)
        count = sum(deliveries) - before
        wall_s = time.perf_counter() - started
        return {"per_s": count / wall_s, "cpu_us": (time.process_time() - cpu_s) / count * 1e6}

    async def loop(self, seconds: float) -> dict[str, Any]:
        """Write the same frame in a bare loop over the sockets, to hold the fan-out against."""
        frame = encode_text(server_frames.message([FRAME]))
        sends = [client.writer for client in self.server.clients]
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            for send in sends:
                if send is None or send(frame) != len(frame):
                    raise RuntimeError("the load client is too slow: a socket is full")
            count += len(sends)
        return {"per_s": count / (time.perf_counter() - started)}

    async def _round(self, message: bytes, joined: int) -> None:
        done = trio.Event()
        first, self.seq = self.seq + 1, self.seq + joined
        batch = Batch(message, Priority.NORMAL, "room", "e", first, self.seq, done.set)
        self.server.broadcast(self.room, batch)
        await done.wait()


def _encode_skipped(_skipped: Skipped) -> bytes:
    return b"[]"


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def serve() -> None:
    """Serve until standard input ends."""
    host = Host()
    listener = listen("127.0.0.1", 0, host.server.settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.server.serve, [listener])
        _answer({"port": listener.getsockname()[1]})
        async for line in trio.wrap_file(sys.stdin.buffer):
            name, *arguments = msgspec.json.decode(line)
            _answer(await getattr(host, name)(*arguments))
        nursery.cancel_scope.cancel()


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    trio.run(serve)
