"""Mesh envelopes: what nodes and relays say to each other.

A link carries batches. A batch is the two bytes `R`, version, then envelopes:

    length u32 | kind u8 | priority u8 | key length u16 | header length u16 | key | header | body

all big-endian; `length` counts what follows it. A relay forwards by `kind` and `key` alone and
copies the bytes of the envelope as they are. `header` is a MessagePack array whose type follows
from `kind`; `body` is opaque (for `ROOM` and `USERS`: the finished client frame).
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

from proto.priorities import Priority

VERSION = 1
BATCH_START = b"R" + bytes([VERSION])

MAX_KEY_BYTES = 256
MAX_HEADER_BYTES = 60_000
MAX_ENVELOPE_BYTES = 1 << 20

_PREFIX = struct.Struct("!IBBHH")
PREFIX_BYTES = _PREFIX.size
_LENGTH_BYTES = 4
KIND_AT = _LENGTH_BYTES
"""Where an envelope's kind is in its bytes."""


class Kind(IntEnum):
    """What an envelope is; in brackets its key."""

    HELLO = 1
    """Node to relay, first on each lane: who dials. []"""
    WELCOME = 2
    """Relay to node: the answer to HELLO. []"""
    INTEREST = 3
    """Access node to relay, normal lane: rooms it wants and no longer wants. []"""
    CONFIRM = 4
    """Relay to node: the interest up to a generation is in the table. []"""
    PING = 5
    """Node to relay, each lane: is the link alive? []"""
    PONG = 6
    """Relay to node: the body of the ping. []"""
    LEAVING = 7
    """Relay to node, urgent lane: use others, it ends when nothing waits. Node to relay, each lane:
    nothing more comes by it, answers excepted. []"""
    ROOM = 10
    """Router to relay to every access node interested in the room. [room]"""
    HEADS = 11
    """As ROOM: the head of each stream of the room, repeated each second. [room]"""
    SPREAD = 12
    """Router to relay: one body for uids on several access nodes; leaves as USERS. []"""
    USERS = 13
    """Router to relay to one access node, or to all of them. [node, or empty: every one]"""
    EVERYBODY = 14
    """Router to relay to every access node: one body for all who are connected. []"""
    KICK = 15
    """Router to relay to every access node: close the connections of a user. []"""
    REQUEST = 20
    """Node to relay to one instance of a service. [service, such as `logic`]"""
    REPLY = 21
    """The answer, back through the relay it came by. [node that asked]"""


class BadEnvelopeError(Exception):
    """Bytes that are no batch of this version; the message says what is wrong."""


class Envelope:
    """One envelope of a received batch; header and body are cut out only when asked for."""

    __slots__ = ("_header_end", "_key_end", "key", "kind", "priority", "raw")

    def __init__(
        self, raw: bytes, kind: int, priority: int, key: bytes, key_end: int, header_end: int
    ) -> None:
        self.raw = raw
        self.kind = kind
        self.priority = priority
        self.key = key
        self._key_end = key_end
        self._header_end = header_end

    @property
    def header(self) -> bytes:
        """The MessagePack header."""
        return self.raw[self._key_end : self._header_end]

    @property
    def body(self) -> bytes:
        """The opaque body."""
        return self.raw[self._header_end :]


def encode(
    kind: Kind, priority: Priority, key: bytes = b"", header: bytes = b"", body: bytes = b""
) -> bytes:
    """Return the bytes of one envelope; join some behind `BATCH_START` to make a batch.

    Raises `BadEnvelopeError` when a part is over its limit: a sender splits before it encodes.
    """
    if len(key) > MAX_KEY_BYTES or len(header) > MAX_HEADER_BYTES:
        raise BadEnvelopeError(f"key of {len(key)} or header of {len(header)} bytes is too long")
    length = PREFIX_BYTES - _LENGTH_BYTES + len(key) + len(header) + len(body)
    if length > MAX_ENVELOPE_BYTES:
        raise BadEnvelopeError(f"an envelope of {length} bytes is over {MAX_ENVELOPE_BYTES}")
    return b"".join(
        (_PREFIX.pack(length, kind, priority, len(key), len(header)), key, header, body)
    )


def split(batch: bytes) -> Iterator[Envelope]:
    """Yield the envelopes of `batch`; raises `BadEnvelopeError` at the first that can't be read."""
    if batch[:2] != BATCH_START:
        raise BadEnvelopeError(f"not a batch of version {VERSION}: starts with {batch[:2]!r}")
    start, total = 2, len(batch)
    while start < total:
        if start + PREFIX_BYTES > total:
            raise BadEnvelopeError("the batch ends inside an envelope's prefix")
        length, kind, priority, key_length, header_length = _PREFIX.unpack_from(batch, start)
        end = start + _LENGTH_BYTES + length
        key_end = PREFIX_BYTES + key_length
        header_end = key_end + header_length
        if end > total or header_end > end - start:
            raise BadEnvelopeError("an envelope's lengths do not fit into the batch")
        raw = batch[start:end]
        yield Envelope(raw, kind, priority, raw[PREFIX_BYTES:key_end], key_end, header_end)
        start = end
