"""The credit of one end of one link: pure counting, the same for every kind of link.

A message is `L`, version, a count u64 big-endian, then the batch or nothing. The count says how
many messages of the other side have been consumed, all in all. A listener's messages all take a
place in the window, those without a batch too: nng keeps two messages for each peer of a
polyamorous socket and discards the third without a word, so no more than two may ever be under
way. A dialer's socket pushes back, so there a bare count takes no place.
"""

import struct

LISTENER_WINDOW = 2
"""What nng holds for one peer of a polyamorous socket; more would be lost without a word."""

DIALER_WINDOW = 4
"""Enough to keep a link busy over its round trip while credit comes in halves, and little enough
that what a pushed back dialer still has under way fits behind the listener's mark."""

FAR_DIALER_WINDOW = 64
"""For links that are 80 ms long. A listener has two places, so that its counts come twice a round
trip, every 40 ms, and each is 40 ms old: a busy lane that sends a batch each 4 ms needs 20 places
for the way there and back, and 20 for the count to be told. The rest is for longer ways."""

DIALER_SPARE = 1
"""A ping's place when the window is closed: pushing back must not look like being dead."""

_PREFIX = struct.Struct("!2sQ")
_START = b"L\x01"


class BadMessageError(Exception):
    """Bytes that no end of this version sends."""


class Flow:
    """Counts what one end has sent and consumed."""

    def __init__(
        self, window: int, spare: int, ack_after: int, counts_acks: bool, peer_counts_acks: bool
    ) -> None:
        self._window = window
        self._spare = spare
        self._ack_after = ack_after
        self._counts_acks = counts_acks
        self._peer_counts_acks = peer_counts_acks
        self._sent = 0
        self._confirmed = 0
        self._consumed = 0
        self._told = 0

    @property
    def in_flight(self) -> int:
        """Messages that the other side has not yet consumed."""
        return self._sent - self._confirmed

    @property
    def open(self) -> bool:
        """Whether there is a place for a batch."""
        return self.in_flight < self._window

    @property
    def open_for_control(self) -> bool:
        """Whether there is a place for a ping."""
        return self.in_flight < self._window + self._spare

    @property
    def ack_due(self) -> bool:
        """Whether the other side should hear now what has been consumed."""
        return self._owes and self._may_ack

    @property
    def ack_blocked(self) -> bool:
        """Whether it should hear, but there is no place for the message."""
        return self._owes and not self._may_ack

    @property
    def _owes(self) -> bool:
        return self._consumed - self._told >= self._ack_after

    @property
    def _may_ack(self) -> bool:
        return self.open or not self._counts_acks

    def consume(self) -> None:
        """Note that a batch of the other side has been dealt with."""
        self._consumed += 1

    def pack(self, batch: bytes) -> bytes:
        """Return the message that carries `batch`, and take its place."""
        self._sent += 1
        self._told = self._consumed
        return _PREFIX.pack(_START, self._consumed) + batch

    def pack_ack(self) -> bytes:
        """Return a message that carries only the count."""
        self._sent += self._counts_acks
        self._told = self._consumed
        return _PREFIX.pack(_START, self._consumed)

    def unpack(self, message: bytes) -> bytes:
        """Take in a message and return its batch, empty where it has none.

        Raises `BadMessageError` for what this version does not know or never sent.
        """
        if len(message) < _PREFIX.size:
            raise BadMessageError(f"a message of {len(message)} bytes is too short")
        start, count = _PREFIX.unpack_from(message)
        if start != _START or not self._confirmed <= count <= self._sent:
            raise BadMessageError(f"starts with {start!r} and confirms {count} of {self._sent}")
        self._confirmed = count
        if len(message) == _PREFIX.size:
            self._consumed += self._peer_counts_acks
        return message[_PREFIX.size :]


def listener_flow() -> Flow:
    """The flow of a listener's end: it tells in halves of the dialer's window, to save messages."""
    return Flow(LISTENER_WINDOW, 0, DIALER_WINDOW // 2, counts_acks=True, peer_counts_acks=False)


def dialer_flow(window: int = DIALER_WINDOW) -> Flow:
    """The flow of a dialer's end: it tells at once, since the listener has few places."""
    return Flow(window, DIALER_SPARE, 1, counts_acks=False, peer_counts_acks=True)
