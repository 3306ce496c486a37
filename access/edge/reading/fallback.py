"""The long way to read: a wsproto connection, made when an unusual frame comes.

It understands fragments, control frames, long frames and every error. At the first frame boundary
outside a fragmented message it has nothing left to remember, and is dropped again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from access.edge.frames import frame_bytes
from access.edge.reading.inbound_deflate import InboundDeflate
from proto.close_codes import CloseCode

MAX_FRAGMENTS = 128


@dataclass(frozen=True, slots=True)
class Pinged:
    """A ping that wants a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer's close frame; 1005 stands for one without a code."""

    code: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer broke a rule: the connection must be closed with `code`."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Binary:
    """A whole binary message."""

    payload: bytes


Heard = bytes | Binary | Pinged | PeerClosed | Failed
"""What reading yields; plain bytes are a whole text message."""


class FrameCutter:
    """Cuts a stream of bytes at the ends of frames, without judging them."""

    def __init__(self) -> None:
        self.at_boundary = True
        self._head = b""
        self._left = 0

    def cut(self, data: bytes) -> tuple[bytes, bytes]:
        """Split `data` behind the end of the current frame."""
        if self.at_boundary or self._head:
            head = self._head + data
            size = frame_bytes(head)
            self.at_boundary = False
            if size is None:
                self._head = head
                return data, b""
            self._left, self._head = size - len(self._head), b""
        piece, rest = data[: self._left], data[self._left :]
        self._left -= len(piece)
        self.at_boundary = self._left == 0
        return piece, rest


class Fallback:
    """Reads anything; `idle` says that it may be dropped (or that nothing more will be read)."""

    def __init__(self, max_message_bytes: int, max_fragments: int, *, inflates: bool) -> None:
        self.idle = False
        self._max_message_bytes = max_message_bytes
        self._max_fragments = max_fragments
        self._wsproto = Connection(
            ConnectionType.SERVER, [InboundDeflate(max_message_bytes)] if inflates else []
        )
        self._cutter = FrameCutter()
        self._parts: list[bytes] = []
        self._size = 0
        self._fragments = 0
        self._inside_message = False

    def feed(self, data: bytes) -> tuple[list[Heard], bytes]:
        """Read up to the first point where this object is idle.

        Returns what was heard and the bytes behind that point. `PeerClosed` and `Failed` are the
        last that is ever heard.
        """
        heard: list[Heard] = []
        while data and not self.idle:
            piece, data = self._cutter.cut(data)
            self._wsproto.receive_data(piece)
            for event in self._wsproto.events():
                heard += self._hear(event)
                if heard and isinstance(heard[-1], PeerClosed | Failed):
                    return heard, b""
            self.idle = self._cutter.at_boundary and not self._inside_message
        return heard, data

    def _hear(self, event: Event) -> list[Heard]:
        if isinstance(event, TextMessage):
            return self._hear_part(event, event.data.encode(), bytes)
        if isinstance(event, BytesMessage):
            return self._hear_part(event, bytes(event.data), Binary)
        if isinstance(event, Ping):
            return [Pinged(bytes(event.payload))]
        if isinstance(event, CloseConnection):
            return [self._hear_close(event)]
        return []  # a pong: that something was heard has been noted already

    def _hear_part(
        self, event: TextMessage | BytesMessage, part: bytes, kind: Callable[[bytes], Heard]
    ) -> list[Heard]:
        self._inside_message = not event.message_finished
        self._fragments += event.frame_finished
        if self._fragments > self._max_fragments:
            return [Failed(CloseCode.TOO_LARGE, f"over {self._max_fragments} fragments")]
        self._size += len(part)
        if self._size > self._max_message_bytes:
            return [self._too_large()]
        if part:
            self._parts.append(part)
        if self._inside_message:
            return []
        whole = b"".join(self._parts)
        self._parts, self._size, self._fragments = [], 0, 0
        return [kind(whole)]

    def _hear_close(self, event: CloseConnection) -> Heard:
        # wsproto tells of a broken rule with the same event as of the peer's close frame.
        if self._wsproto.state is not ConnectionState.OPEN:
            return PeerClosed(int(event.code))
        if event.code == CloseCode.TOO_LARGE:
            return self._too_large()
        return Failed(int(event.code), "not a valid frame")

    def _too_large(self) -> Failed:
        return Failed(CloseCode.TOO_LARGE, f"over {self._max_message_bytes} bytes")
