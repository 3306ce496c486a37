"""The edge alone, with or without TLS: `python -m bench.tls.host [CERTIFICATE_AND_KEY]`.

Says its port when it listens. For each `ROUNDS PER_S JOINED` on standard input it writes so many
rounds of so many messages to all its clients and says what became of them.
"""

import sys
from typing import Any

import msgspec
import trio

from access.edge.channel import OpenChannel, plain
from access.edge.interface import Batch, Connection, Skipped
from access.edge.opening.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings
from access.edge.tls.certificate import load
from access.edge.tls.channel import TlsChannels
from bench.load.payload import payload
from proto import server_frames
from proto.priorities import Priority

SETTINGS = EdgeSettings(ping_interval_s=3600)
"""The clients answer no pings."""


class Host:
    """A session layer that puts everybody in one room."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self.server = Server(SETTINGS, self, _encode_skipped, open_channel=open_channel)
        self.room = self.server.audience()
        self.seq = 0

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.room.add(connection)

    def received(self, _connection: Connection, _text: bytes) -> None:
        """See `Handler`."""

    def closed(self, _connection: Connection, _code: int) -> None:
        """See `Handler`."""

    async def paced(self, rounds: int, per_s: float, joined: int) -> dict[str, int]:
        """Write the rounds at an even rate."""
        counters = self.server.counters
        deliveries, size, stalls = sum(counters.deliveries), counters.bytes_out, counters.stalls
        began = trio.current_time()
        for number in range(rounds):
            await trio.sleep_until(began + number / per_s)
            await self._round(joined)
        return {
            "deliveries": sum(counters.deliveries) - deliveries,
            "bytes": counters.bytes_out - size,
            "stalls": counters.stalls - stalls,
        }

    async def _round(self, joined: int) -> None:
        done = trio.Event()
        first, self.seq = self.seq + 1, self.seq + joined
        message = server_frames.message([b'"%b"' % payload(self.seq)[2:]] * joined)
        batch = Batch(message, Priority.NORMAL, "room", "e", first, self.seq, done.set)
        self.server.broadcast(self.room, batch)
        await done.wait()


def _encode_skipped(_skipped: Skipped) -> bytes:
    return b"[]"


def _channels(file: str) -> OpenChannel:
    certificate = load(file, file)
    return TlsChannels(lambda: certificate.context)


async def serve(open_channel: OpenChannel) -> None:
    """Serve until standard input ends."""
    host = Host(open_channel)
    listener = listen("127.0.0.1", 0, SETTINGS)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.server.serve, [listener])
        _say({"port": listener.getsockname()[1], "write_path": host.server.write_path.name})
        async for line in trio.wrap_file(sys.stdin):
            rounds, per_s, joined = line.split()
            _say(await host.paced(int(rounds), float(per_s), int(joined)))
        nursery.cancel_scope.cancel()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    trio.run(serve, _channels(sys.argv[1]) if sys.argv[1:] else plain)
