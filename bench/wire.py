"""The client's side of a WebSocket in bytes, as a load generator needs it: cheap and whole.

RFC 6455 without compression; the mask is zero, which is allowed to a program that has nothing to
hide from a proxy and costs the server as much as any other.
"""

import base64
import struct

from proto.client_requests import SUBPROTOCOL

_ZERO_MASK = bytes(4)
_OP_TEXT, _OP_CLOSE, _OP_PING = 1, 8, 9

PONG = bytes((0x8A, 0x80)) + _ZERO_MASK
"""An unasked pong: says that the client is alive, and calls for no answer."""


def upgrade(host: str, path: str = "/v1") -> bytes:
    """Return the opening request of a connection to `host` (with its port)."""
    key = base64.b64encode(b"relaymesh-bench!").decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    ).encode()


def text(payload: bytes) -> bytes:
    """Return `payload` as one masked text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + _ZERO_MASK + payload
    return struct.pack("!BBH", 0x81, 0x80 | 126, size) + _ZERO_MASK + payload


class Messages:
    """Cuts a server's bytes into text messages; remembers a close code and pings to answer."""

    def __init__(self) -> None:
        self._buffer = b""
        self.close_code: int | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads of the text messages that `data` completes."""
        buffer = self._buffer + data
        start, payloads = 0, []
        while (frame := _frame(buffer, start)) is not None:
            opcode, payload_start, start = frame
            if opcode == _OP_TEXT:
                payloads.append(buffer[payload_start:start])
            elif opcode == _OP_CLOSE and start - payload_start >= 2:
                self.close_code = struct.unpack_from("!H", buffer, payload_start)[0]
        self._buffer = buffer[start:]
        return payloads


def _frame(buffer: bytes, start: int) -> tuple[int, int, int] | None:
    """Return opcode, where the payload starts and ends; `None` while the frame is not whole."""
    if len(buffer) - start < 2:
        return None
    size, payload_start = buffer[start + 1] & 127, start + 2
    if size >= 126:
        form = "!H" if size == 126 else "!Q"
        payload_start += struct.calcsize(form)
        if len(buffer) < payload_start:
            return None
        size = struct.unpack_from(form, buffer, start + 2)[0]
    end = payload_start + size
    return (buffer[start] & 15, payload_start, end) if len(buffer) >= end else None
