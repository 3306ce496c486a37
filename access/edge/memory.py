"""The edge's twin for tests of the session layer: no sockets, everything delivered at once."""

from collections.abc import Callable
from itertools import count
from typing import Any, cast

from access.edge.interface import Audience, Batch, Handler
from proto.priorities import Priority


class MemoryConnection:
    """A client in memory: `sent` is what it received, `closed_with` the code it was closed with."""

    def __init__(
        self, number: int, address: str, gone: Callable[["MemoryConnection"], None]
    ) -> None:
        self.id = number
        self.address = address
        self.state: Any = None
        self.queued_bytes = 0
        """Set by a test that wants a slow client."""
        self.sent: list[tuple[Priority, bytes]] = []
        self.closed_with: int | None = None
        self.close_reason = ""
        self.blamed = 0
        self.audiences: set[MemoryAudience] = set()
        self._gone = gone

    def send(self, message: bytes, priority: Priority) -> None:
        """See `interface.Connection`."""
        if self.closed_with is None:
            self.sent.append((priority, message))

    def admitted(self) -> None:
        """See `interface.Connection`: here nobody is kept out."""

    def blame(self) -> None:
        """See `interface.Connection`."""
        self.blamed += 1

    def close(self, code: int, reason: str) -> None:
        """See `interface.Connection`."""
        if self.closed_with is not None:
            return
        self.closed_with, self.close_reason = code, reason
        for audience in list(self.audiences):
            audience.discard(self)
        self._gone(self)

    def messages(self) -> list[bytes]:
        """Return and forget the payloads that this client received."""
        messages = [message for _, message in self.sent]
        self.sent.clear()
        return messages


class MemoryAudience:
    """See `interface.Audience`."""

    def __init__(self) -> None:
        self.members: dict[int, MemoryConnection] = {}

    def __len__(self) -> int:
        return len(self.members)

    def add(self, connection: Any) -> None:
        """See `interface.Audience`."""
        member = cast("MemoryConnection", connection)
        if member.closed_with is None:
            self.members[member.id] = member
            member.audiences.add(self)

    def discard(self, connection: Any) -> None:
        """See `interface.Audience`."""
        member = cast("MemoryConnection", connection)
        self.members.pop(member.id, None)
        member.audiences.discard(self)


class MemoryEdge:
    """An `interface.Edge` that a test drives: `connect`, `receive`, `hang_up`, `settle`.

    `Handler.closed` and the rounds' `done` are called by `settle`, never from within another call,
    as on the real edge; `connect`, `receive` and `hang_up` settle by themselves.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections: list[MemoryConnection] = []
        self.rounds: list[Batch] = []
        """All batches that were handed over, in order."""
        self._numbers = count(1)
        self._later: list[Callable[[], None]] = []

    def audience(self) -> Audience:
        """See `interface.Edge`."""
        return MemoryAudience()

    def broadcast(self, audience: Audience, batch: Batch) -> None:
        """See `interface.Edge`; the members get the message at once."""
        self.rounds.append(batch)
        for member in list(cast("MemoryAudience", audience).members.values()):
            member.send(batch.message, batch.priority)
        if batch.done is not None:
            self._later.append(batch.done)

    def connect(self, address: str = "192.0.2.1:50000") -> MemoryConnection:
        """Open a connection as a client's finished handshake does."""
        connection = MemoryConnection(next(self._numbers), address, self._gone)
        self.connections.append(connection)
        self.handler.opened(connection)
        self.settle()
        return connection

    def receive(self, connection: MemoryConnection, text: bytes) -> None:
        """Hand the session layer a message from the client."""
        if connection.closed_with is None:
            self.handler.received(connection, text)
        self.settle()

    def hang_up(self, connection: MemoryConnection, code: int = 1006) -> None:
        """Let the client go with `code`; 1006 is without a close frame."""
        connection.close(code, "the client hung up")
        self.settle()

    def settle(self) -> None:
        """Make the calls that the real edge makes a little later."""
        while self._later:
            self._later.pop(0)()

    def _gone(self, connection: MemoryConnection) -> None:
        self.connections.remove(connection)
        code = connection.closed_with or 1006
        self._later.append(lambda: self.handler.closed(connection, code))
