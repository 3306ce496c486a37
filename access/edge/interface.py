"""What the session layer sees of the edge, and what the edge asks of the session layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from proto.priorities import Priority


class Connection(Protocol):
    """One client that has finished its handshake."""

    id: int
    """Unique in this process's life."""
    address: str
    """The client's address, `host:port`; the port is 0 where a proxy has told the host."""
    state: Any
    """A slot for the session layer; the edge never reads it."""

    @property
    def queued_bytes(self) -> int:
        """Return how many bytes wait for this client's socket."""
        ...

    def send(self, message: bytes, priority: Priority) -> None:
        """Write or queue one whole text message (a JSON array); never blocks, never thinned.

        On a connection that is closing or closed it does nothing.
        """
        ...

    def admitted(self) -> None:
        """Say that this client is let in: it counts no more among those who are opening."""
        ...

    def blame(self) -> None:
        """Count an attempt that was of no use, such as a bad token, against the peer's address."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; after a bounded wait the connection is cut.

        `Handler.closed` follows in every case, never from within this call. A second call does
        nothing.
        """
        ...


class Handler(Protocol):
    """The session layer. All calls are synchronous and quick: they run in the read loop."""

    def opened(self, connection: Connection) -> None:
        """Take note of a connection whose handshake is done."""
        ...

    def received(self, connection: Connection, text: bytes) -> None:
        """Take one whole text message; that it is valid UTF-8 has been checked."""
        ...

    def closed(self, connection: Connection, code: int) -> None:
        """Learn that the connection is gone; called exactly once for each `opened`.

        `code` is the one we closed with, else the peer's, else 1006 (cut without a close frame).
        The connection has left every audience before this call.
        """
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """The joined frames of one tick, handed to every member of an audience in one write."""

    message: bytes
    """The payload of one WebSocket text message: a JSON array."""
    priority: Priority
    stream: str
    """The room, as named in a `skipped` push."""
    epoch: str
    first_seq: int
    last_seq: int
    done: Callable[[], None] | None = None
    """Called when the last member's write was tried: the room's next round may be made then."""

    @property
    def messages(self) -> int:
        """Return how many messages of the stream are joined in this round."""
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was thinned from one client's queue: the first to the last sequence, both included."""

    stream: str
    priority: Priority
    epoch: str
    first_seq: int
    last_seq: int


EncodeSkipped = Callable[[Skipped], bytes]
"""Makes the text message that tells a client what was thinned; given to the edge from outside."""


class Audience(Protocol):
    """The members of one room on this node: the target of a fan-out."""

    def add(self, connection: Connection) -> None:
        """Let `connection` receive the rounds handed over from now on; adding twice is once."""
        ...

    def discard(self, connection: Connection) -> None:
        """Let `connection` receive no more, not even of a round that is running."""
        ...

    def __len__(self) -> int: ...


class Edge(Protocol):
    """The connections of this process and the way to write to many of them."""

    def audience(self) -> Audience:
        """Return a new, empty audience."""
        ...

    def broadcast(self, audience: Audience, batch: Batch) -> None:
        """Hand a round to the fan-out loop; returns at once and never refuses.

        What bounds the rounds that wait is the caller: it hands over the next round of an audience
        and priority when `Batch.done` was called for the last. A round goes to those who are
        members now. The rounds of one audience and priority keep their
        order; urgent ones overtake the others between two chunks of sockets.
        """
        ...
