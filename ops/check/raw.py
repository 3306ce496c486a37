"""A bare WebSocket, for what no client of ours would ever send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio_websocket as tws

from ops.check.report import CheckFailedError
from proto.client_requests import SUBPROTOCOL

WAIT_S = 8.0


class Raw:
    """A connection that sends anything, and keeps the frames that came."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.frames: list[dict[str, Any]] = []

    async def send(self, message: str) -> None:
        """Send `message` as it is."""
        await self._connection.send_message(message)

    async def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send `request` and return its answer."""
        await self.send(json.dumps(request))
        return await self.answer(request["id"])

    async def answer(self, number: int | None) -> dict[str, Any]:
        """Return the next frame that replies to `number`."""
        while True:
            frame = await self.next()
            if frame.get("reply", -1) == number:
                return frame

    async def next(self) -> dict[str, Any]:
        """Return the next frame; raises `CheckFailedError` when none comes."""
        while not self.frames:
            with trio.move_on_after(WAIT_S) as waiting:
                try:
                    self.frames = json.loads(await self._connection.get_message())
                except tws.ConnectionClosed as closed:
                    raise CheckFailedError(f"the server closed: {closed.reason}") from None
            if waiting.cancelled_caught:
                raise CheckFailedError(f"no answer within {WAIT_S:g} s")
        return self.frames.pop(0)

    async def close_code(self) -> int:
        """Return the code that the server closes with."""
        with trio.move_on_after(WAIT_S):
            try:
                while True:
                    await self._connection.get_message()
            except tws.ConnectionClosed as closed:
                return closed.reason.code if closed.reason else 1006
        raise CheckFailedError(f"the server did not close within {WAIT_S:g} s")


@asynccontextmanager
async def raw(url: str, *, subprotocol: str = SUBPROTOCOL) -> AsyncIterator[Raw]:
    """Open a WebSocket to `url`; raises `ConnectionRejected` when the server refuses it."""
    offered = [subprotocol] if subprotocol else None
    async with tws.open_websocket_url(
        url, subprotocols=offered, connect_timeout=WAIT_S, disconnect_timeout=1.0
    ) as connection:
        yield Raw(connection)
