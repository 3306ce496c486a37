"""Shows another token before the present one ends, on the connection that there is."""

from collections.abc import Callable

import trio

from relaymesh_client.bell import Bell
from relaymesh_client.errors import Refused
from relaymesh_client.protocol import Protocol
from relaymesh_client.websocket import TokenSource, fresh_token

RETRY_S = 5.0
"""Between two attempts to get a token: the server warns a minute before the end."""


class Renewer:
    """Of one client; `run` it beside each of its connections. The application notices nothing.

    Where no other token can be had the server ends the connection, and the next one asks again.
    """

    def __init__(self, protocol: Protocol, token: TokenSource, flush: Callable[[], None]) -> None:
        self.told = Bell()
        """To be rung when the protocol may want a token."""
        self._protocol = protocol
        self._token = token
        self._flush = flush

    async def run(self, shown: str) -> None:
        """Renew the token `shown`, and those that follow it, for as long as the connection is."""
        while True:
            await self.told.wait()
            while self._protocol.token_ends:
                token = await self._other_than(shown)
                if token:
                    shown = token
                    self._protocol.refresh(token, now=trio.current_time())
                    self._flush()
                else:
                    await trio.sleep(RETRY_S)

    async def _other_than(self, shown: str) -> str:
        """Return a fresh token, "" where there is none at the moment."""
        try:
            token = await fresh_token(self._token)
        except (OSError, Refused):
            return ""
        return token if token != shown else ""
