"""The memory edge with clients that hear at once, and that a killed process leaves."""

from collections.abc import Callable
from itertools import count

import trio

from access.edge.interface import Audience, Batch, Handler
from access.edge.memory import MemoryConnection, MemoryEdge
from proto.priorities import Priority


class Line(MemoryConnection):
    """A client's connection: what is sent goes to `heard`, its end to `lost`."""

    def __init__(
        self,
        number: int,
        gone: Callable[[MemoryConnection], None],
        heard: Callable[[bytes], None],
        lost: Callable[[int], None],
    ) -> None:
        super().__init__(number, f"192.0.2.1:{number}", gone)
        self._heard = heard
        self._lost = lost

    def send(self, message: bytes, priority: Priority) -> None:
        if self.closed_with is None:
            self._heard(message)

    def close(self, code: int, reason: str) -> None:
        if self.closed_with is None:
            super().close(code, reason)
            self._lost(code)

    def break_off(self) -> None:
        """The node's process was killed: the client sees it, the node does nothing any more."""
        if self.closed_with is None:
            self.closed_with = 1006
            self._lost(1006)


class LiveEdge(MemoryEdge):
    """A `MemoryEdge` that makes its late calls by itself while `run` does."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self._lines = count(1)
        self._work = trio.Event()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            self.settle()

    def broadcast(self, audience: Audience, batch: Batch) -> None:
        super().broadcast(audience, batch)
        self.rounds.clear()
        self._work.set()

    def open_line(self, heard: Callable[[bytes], None], lost: Callable[[int], None]) -> Line:
        line = Line(next(self._lines), self._hung_up, heard, lost)
        self.connections.append(line)
        self.handler.opened(line)
        return line

    def break_off(self) -> None:
        """End as a killed process does."""
        for line in list(self.connections):
            line.break_off()  # type: ignore[attr-defined]
        self.connections.clear()

    def _hung_up(self, connection: MemoryConnection) -> None:
        if connection in self.connections:
            self._gone(connection)
            self._work.set()
