"""The edge alone, one frame a write, without sessions and mesh.

`python -m bench.edge.bare_edge PATH`; PATH is how it writes: `auto`, `loop` or `io_uring`. Says its
port and what it chose when it listens. For each `SECONDS` on standard input it writes rounds of one
message to all its clients back to back, through the whole fan-out of `access.edge.server.Server`,
and says how many deliveries a second that were.
"""

import sys
import time
from typing import Any

import msgspec
import trio

from access.edge.interface import Batch, Connection, Skipped
from access.edge.opening.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings, WritePathName
from bench.load.payload import payload
from proto.priorities import Priority


class Host:
    """A session layer that puts everybody in one room."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.server = Server(settings, self, _encode_skipped)
        self.room = self.server.audience()
        self.seq = 0

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.room.add(connection)

    def received(self, _connection: Connection, _text: bytes) -> None:
        """See `Handler`."""

    def closed(self, _connection: Connection, _code: int) -> None:
        """See `Handler`."""

    async def back_to_back(self, seconds: float) -> dict[str, float]:
        """Write rounds of one message, each as soon as the one before is written."""
        deliveries = self.server.counters.deliveries
        before, started = sum(deliveries), time.perf_counter()
        while time.perf_counter() - started < seconds:
            await self._round()
        count, took_s = sum(deliveries) - before, time.perf_counter() - started
        return {"per_s": count / took_s, "deliveries": count}

    async def _round(self) -> None:
        done = trio.Event()
        message = payload(self.seq)
        self.seq += 1
        batch = Batch(message, Priority.NORMAL, "room", "e", self.seq, self.seq, done.set)
        self.server.broadcast(self.room, batch)
        await done.wait()


def _encode_skipped(_skipped: Skipped) -> bytes:
    return b"[]"


async def serve(path: WritePathName) -> None:
    """Serve until standard input ends."""
    host = Host(EdgeSettings(write_path=path))
    listener = listen("127.0.0.1", 0, host.server.settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.server.serve, [listener])
        _say({"port": listener.getsockname()[1], "write_path": host.server.write_path.name})
        async for line in trio.wrap_file(sys.stdin):
            _say(await host.back_to_back(float(line)))
        nursery.cancel_scope.cancel()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    trio.run(serve, msgspec.convert(sys.argv[1], WritePathName))
