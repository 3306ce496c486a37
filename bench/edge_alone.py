"""The edge alone, without sessions and mesh: who connects is in the room, and nobody is heard."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from access.edge.channel import OpenChannel, plain
from access.edge.interface import Audience, Batch, Connection, Skipped
from access.edge.opening.listening import listen
from access.edge.server import Server
from access.edge.settings import EdgeSettings
from proto.priorities import Priority

Obey = Callable[[str], Awaitable[object]]
"""Does what a line of standard input asks for; returns what is said of it."""


class EdgeAlone:
    """A session layer for an edge of its own."""

    def __init__(self, settings: EdgeSettings, open_channel: OpenChannel = plain) -> None:
        self.server = Server(settings, self, _encode_skipped, open_channel=open_channel)
        self.room = self.server.audience()
        self.seq = 0
        """The number of the last message."""

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        self.room.add(connection)

    def received(self, _connection: Connection, _text: bytes) -> None:
        """See `Handler`."""

    def closed(self, _connection: Connection, _code: int) -> None:
        """See `Handler`."""

    async def write(self, message: bytes, joined: int, audience: Audience | None = None) -> None:
        """Write a round of `joined` messages to the room (or another audience) to the end."""
        done = trio.Event()
        first, self.seq = self.seq + 1, self.seq + joined
        batch = Batch(message, Priority.NORMAL, "room", "e", first, self.seq, done.set)
        self.server.broadcast(self.room if audience is None else audience, batch)
        await done.wait()


async def obey_standard_input(edge: EdgeAlone, obey: Obey) -> None:
    """Serve on a free port of the loopback, which is said first, until standard input ends."""
    listener = listen("127.0.0.1", 0, edge.server.settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(edge.server.serve, [listener])
        _say({"port": listener.getsockname()[1], "write_path": edge.server.write_path.name})
        async for line in trio.wrap_file(sys.stdin):
            _say(await obey(line))
        nursery.cancel_scope.cancel()


def _say(answer: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def _encode_skipped(_skipped: Skipped) -> bytes:
    return b"[]"
