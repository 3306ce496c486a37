"""Compressed text frames (RFC 7692), each by itself, so that all receivers share one."""

import zlib

from access.edge.frames import RSV1, WHOLE_TEXT, encode_text, head
from access.edge.opening.deflate_offers import MIN_WINDOW_BITS
from access.edge.reading.inflate import TAIL

LEVEL = 6
"""Ten chat messages, 2.1 kB: 24 µs to 622 bytes; level 1 takes 19 µs to 660, level 9 gains nothing.
What is saved is saved once for each member, what it costs is paid once."""
MEM_LEVEL = 8
"""256 KiB while a frame is compressed; with less it takes longer and comes out larger."""
PLAIN = 0
"""Stands for no compression where a window is asked for."""


def window_bits(agreed_bits: int, size_bytes: int) -> int:
    """Return the window for a message of `size_bytes` to somebody who agreed to `agreed_bits`.

    It is no larger than the message needs: zlib clears its tables for each message, and whoever
    agreed to a larger window can share the frame.
    """
    return min(agreed_bits, max(size_bytes.bit_length(), MIN_WINDOW_BITS))


def encode_for(message: bytes, bits: int) -> bytes:
    """Return one whole text frame: compressed with a window of 2^`bits` bytes, or `PLAIN`."""
    if bits == PLAIN:
        return encode_text(message)
    deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -bits, MEM_LEVEL)
    payload = deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)
    payload = payload.removesuffix(TAIL)
    return head(WHOLE_TEXT | RSV1, len(payload)) + payload
