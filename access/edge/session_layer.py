"""The session layer as the edge calls it: a fault in it harms one connection at most."""

from collections import deque
from typing import NoReturn

import structlog
import trio

from access.edge.client import Client
from access.edge.counters import EdgeCounters
from access.edge.interface import Handler
from proto.close_codes import CloseCode

log = structlog.get_logger()


class SessionLayer:
    """A `Handler` that does not raise, and learns of an end a little later: never from within a
    call of its own."""

    def __init__(self, handler: Handler, counters: EdgeCounters) -> None:
        self._handler = handler
        self._counters = counters
        self._gone: deque[tuple[Client, int]] = deque()
        self._some_gone = trio.Event()

    def opened(self, client: Client) -> None:
        """See `Handler`."""
        try:
            self._handler.opened(client)
        except Exception:
            self._failed(client)

    def received(self, client: Client, text: bytes) -> None:
        """See `Handler`."""
        try:
            self._handler.received(client, text)
        except Exception:
            self._failed(client)

    def gone(self, client: Client, code: int) -> None:
        """Have `closed` called soon."""
        self._gone.append((client, code))
        self._some_gone.set()

    async def run(self) -> NoReturn:
        """Tell of those who are gone, until cancelled."""
        while True:
            await self._some_gone.wait()
            self._some_gone = trio.Event()
            self.tell_gone()

    def tell_gone(self) -> None:
        """Tell of those who are gone now."""
        while self._gone:
            client, code = self._gone.popleft()
            try:
                self._handler.closed(client, code)
            except Exception:
                self._failed(client)

    def _failed(self, client: Client) -> None:
        log.exception("session_failed", connection=client.id, address=client.address)
        self._counters.handler_errors += 1
        client.close(CloseCode.INTERNAL_ERROR, "the node failed; resume elsewhere")
