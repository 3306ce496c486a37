"""Connections that are held by tasks of their own, so that one can be opened beside another."""

from typing import Any, NamedTuple

import trio
import trio_websocket as tws

from relaymesh_client.moves import Order
from relaymesh_client.websocket import websocket


class Line:
    """An open WebSocket to `url`, until it is let go."""

    def __init__(self, url: str, connection: Any) -> None:
        self.url = url
        self.connection = connection
        self.let_go = trio.Event()
        """Set it to have the connection closed."""
        self.gone = trio.Event()
        """Set when it is, or was cut."""


class Way(NamedTuple):
    """An open connection, with what is to be said on it first."""

    line: Line
    token: str
    followed: Order | None = None


async def dial(nursery: trio.Nursery, url: str) -> Line:
    """Open a connection to `url`, held in `nursery`; raises `trio_websocket.HandshakeError`."""
    line: Line = await nursery.start(_hold, url)
    return line


async def _hold(url: str, *, task_status: trio.TaskStatus[Line]) -> None:
    line: Line | None = None
    try:
        async with websocket(url) as connection:
            line = Line(url, connection)
            task_status.started(line)
            await line.let_go.wait()
    except tws.HandshakeError:
        if line is None:
            raise
        # It did not close in time: nobody waits for that.
    finally:
        if line is not None:
            line.gone.set()
