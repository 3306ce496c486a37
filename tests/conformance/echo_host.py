"""The real edge with a session layer that says everything back; prints its port.

A text goes back by the direct way, or to a client that agreed to compression as a round to an
audience of one: rounds are what the edge compresses.
"""

import sys
import zlib
from typing import cast

import trio

from access.edge.client import Client
from access.edge.frames import FIN, RSV1, head
from access.edge.interface import Batch, Connection, Skipped
from access.edge.opening.deflate_offers import MIN_WINDOW_BITS
from access.edge.opening.listening import listen
from access.edge.reading.inflate import TAIL
from access.edge.server import Server
from access.edge.settings import EdgeSettings
from backends.rate_limit.interface import Rate
from proto.priorities import Priority

MIB = 1 << 20
BINARY = 0x2
SETTINGS = EdgeSettings(
    path="/",
    subprotocol=None,
    max_message_bytes=16 * MIB,
    max_queued_bytes=64 * MIB,
    max_fragments=1 << 20,
    inbound_bytes=Rate(1 << 30, 1 << 30),
    pings=Rate(10_000, 10_000),
    deflate_from_bytes=0,
)
"""The largest cases send 16 MiB in one message; those of compression want each text compressed."""


class EchoServer(Server):
    """The edge, but for what it does with a binary message."""

    def __init__(self) -> None:
        super().__init__(SETTINGS, self, _encode_skipped)

    def deliver_binary(self, client: Client, payload: bytes) -> None:
        """Say it back; the edge's own way is to close."""
        first = FIN | BINARY
        if client.deflate_bits:
            first, payload = first | RSV1, _stored(payload)
        client.write(head(first, len(payload)) + payload, Priority.URGENT)

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        connection.state = self.audience()
        connection.state.add(connection)

    def received(self, connection: Connection, text: bytes) -> None:
        """See `Handler`."""
        if cast("Client", connection).deflate_bits:
            self.broadcast(connection.state, Batch(text, Priority.URGENT, "echo", "e", 1, 1))
        else:
            connection.send(text, Priority.URGENT)

    def closed(self, connection: Connection, code: int) -> None:
        """See `Handler`."""


def _stored(payload: bytes) -> bytes:
    """The quickest form of a compressed message: how well it shrinks is not what is looked at."""
    deflater = zlib.compressobj(zlib.Z_NO_COMPRESSION, wbits=-MIN_WINDOW_BITS)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def _encode_skipped(_skipped: Skipped) -> bytes:
    raise AssertionError("urgent rounds are never thinned")


async def serve() -> None:
    """Serve until standard input ends."""
    listener = listen("127.0.0.1", 0, SETTINGS)
    async with trio.open_nursery() as nursery:
        await nursery.start(EchoServer().serve, [listener])
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await trio.wrap_file(sys.stdin).read()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve)
