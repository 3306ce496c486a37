"""Follows orders to move: opens the next connection while the present one goes on."""

from collections.abc import Awaitable, Callable

import trio

from relaymesh_client.bell import Bell
from relaymesh_client.errors import Refused
from relaymesh_client.lines import Line, Way
from relaymesh_client.moves import Order
from relaymesh_client.protocol import Protocol
from relaymesh_client.websocket import TokenSource, fresh_token

ALMOST_S = 2.0
"""Seconds for which a connection that is being opened is waited for when the present one ends."""

Dial = Callable[[str], Awaitable[object]]
"""Opens a connection to a URL; returns anything but a `Line` where it can't be opened."""


class Follower:
    """Of one client; `run` it beside each of its connections."""

    def __init__(self, protocol: Protocol, token: TokenSource, dial: Dial) -> None:
        self.told = Bell()
        """To be rung when the protocol may have an order."""
        self._protocol = protocol
        self._token = token
        self._dial = dial
        self._way: Way | None = None
        self._settled = trio.Event()
        """Set while no connection is being opened."""
        self._settled.set()

    @property
    def arrived(self) -> bool:
        """Whether the next connection is open."""
        return self._way is not None

    def take(self) -> Way | None:
        """Return the next connection, once."""
        way, self._way = self._way, None
        return way

    async def settled(self) -> None:
        """Wait a moment for a connection that is being opened."""
        with trio.move_on_after(ALMOST_S):
            await self._settled.wait()

    async def run(self, talking: trio.CancelScope) -> None:
        """Follow orders, until one has led to an open connection; then end `talking`."""
        order: Order | None = None
        while self._way is None:
            await self.told.wait()
            if self._protocol.order is order or self._protocol.order is None:
                continue
            order = self._protocol.order
            await trio.sleep_until(order.at)
            if self._protocol.follows(order):
                await self._go(order)
        talking.cancel()

    async def _go(self, order: Order) -> None:
        """Open a connection to where `order` leads. Where there is none the present one goes on:
        the server ends it, and then the gateway is asked."""
        self._settled = trio.Event()
        try:
            token = await fresh_token(self._token)
            for endpoint in order.endpoints:
                line = await self._dial(endpoint.url)
                if isinstance(line, Line):
                    self._way = Way(line, token, order)
                    return
        except (OSError, Refused):
            pass  # no token: neither would there be one for anything else
        finally:
            self._settled.set()
