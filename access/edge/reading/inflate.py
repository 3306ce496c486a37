"""Reads what clients send compressed, never inflating beyond the bound on a message."""

import zlib

from access.edge.frames import (
    MASKED,
    MAX_LENGTH_7,
    MAX_LENGTH_16,
    RSV1,
    WHOLE_TEXT,
    frame_bytes,
    is_utf8,
    unmask,
)

WHOLE_DEFLATED_TEXT = WHOLE_TEXT | RSV1
ANY_WINDOW = -15
"""Raw deflate with the largest window, which reads every smaller one too."""
TAIL = b"\x00\x00\xff\xff"
"""The end of each message, which RFC 7692 leaves out on the wire."""
BEHIND_A_LAST_BLOCK = (b"", TAIL, b"\x00" + TAIL)
"""What may follow a block that calls itself the last (RFC 7692, section 7.2.3.4)."""


class TooBigError(Exception):
    """The message is larger than it may be."""


class BrokenError(Exception):
    """The bytes are no raw deflate."""


def max_deflated_bytes(max_message_bytes: int) -> int:
    """Return what a message of the largest size takes at most when it does not compress: zlib's
    own bound for its least favourable settings."""
    return max_message_bytes + (max_message_bytes >> 3) + (max_message_bytes >> 6) + 64


def inflate(payload: bytes, max_message_bytes: int) -> bytes:
    """Return the message that `payload` holds; raises `TooBigError`, `BrokenError`.

    At no time is more inflated than the bound and one byte.
    """
    inflater = zlib.decompressobj(ANY_WINDOW)
    try:
        message = inflater.decompress(payload + TAIL, max_message_bytes + 1)
    except zlib.error as error:
        raise BrokenError from error
    if len(message) > max_message_bytes:
        raise TooBigError
    if inflater.eof and inflater.unused_data not in BEHIND_A_LAST_BLOCK:
        raise BrokenError
    return message


def read_deflated_text(data: bytes, max_message_bytes: int) -> tuple[bytes, bytes] | None:
    """Read one whole, small, masked, compressed text frame from the start of `data`: what a
    browser sends.

    Returns its text and the bytes behind it; `None` for anything else, and for every error: the
    fallback reads it again and finds the right words.
    """
    if data[0] != WHOLE_DEFLATED_TEXT or data[1] < MASKED:
        return None
    start, size = 6 if data[1] & 0x7F <= MAX_LENGTH_7 else 8, frame_bytes(data)
    if size is None or size > len(data) or not _is_short(size - start, start, max_message_bytes):
        return None
    try:
        text = inflate(unmask(data[start:size], data[start - 4 : start]), max_message_bytes)
    except (TooBigError, BrokenError):
        return None
    return (text, data[size:]) if text.isascii() or is_utf8(text) else None


def _is_short(length: int, start: int, max_message_bytes: int) -> bool:
    return length <= max_message_bytes and (start == 6 or MAX_LENGTH_7 < length <= MAX_LENGTH_16)
