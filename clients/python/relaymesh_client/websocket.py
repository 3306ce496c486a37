"""The WebSocket under a connection: how it is opened, and who opens it."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

import trio_websocket as tws

SUBPROTOCOL = "relaymesh.v1.json"
MAX_MESSAGE_BYTES = 4 << 20
HANDSHAKE_S = 10.0
GOODBYE_S = 1.0

TokenSource = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that gives a fresh one for each connection."""


def websocket(url: str) -> Any:
    """Return a context that opens a connection to `url` and closes it."""
    return tws.open_websocket_url(
        url,
        subprotocols=[SUBPROTOCOL],
        max_message_size=MAX_MESSAGE_BYTES,
        message_queue_size=16,
        connect_timeout=HANDSHAKE_S,
        disconnect_timeout=GOODBYE_S,
    )


async def fresh_token(source: TokenSource) -> str:
    """Return the token to say `hello` with now."""
    if isinstance(source, str):
        return source
    token = source()
    return await token if isawaitable(token) else token
