"""WebSocket frames (RFC 6455, section 5): what a server writes, and the short way to read.

Ninety-nine of a hundred frames of a client are one whole, small, masked text frame, or the pong of
an idle one: those are read here. Everything else is for `access.edge.reading.fallback`.
"""

from enum import Enum, auto

TEXT = 0x1
CLOSE = 0x8
PING = 0x9
PONG = 0xA
FIN = 0x80
MASKED = 0x80
RSV1 = 0x40
"""Of a data frame: the message is compressed (RFC 7692)."""

WHOLE_TEXT = FIN | TEXT
WHOLE_PONG = FIN | PONG
MAX_LENGTH_7 = 125
MAX_LENGTH_16 = 0xFFFF
MAX_LENGTH_63 = (1 << 63) - 1
PING_FRAME = bytes((FIN | PING, 0))


class Verdict(Enum):
    """Why the short way of reading stopped."""

    MORE = auto()
    """The rest is the beginning of a frame (or nothing)."""
    UNUSUAL = auto()
    """The rest starts with a frame that is for the fallback."""
    TOO_BIG = auto()
    """The next frame declares more than the limit."""
    NOT_UTF8 = auto()
    """The next frame's text is not valid UTF-8."""


def encode_text(payload: bytes) -> bytes:
    """Return one whole text frame; a server's frames carry no mask, so all receivers share it."""
    return head(WHOLE_TEXT, len(payload)) + payload


def encode_pong(payload: bytes) -> bytes:
    """Return the answer to a ping with `payload` (125 bytes at most, as the ping had)."""
    return head(FIN | PONG, len(payload)) + payload


def encode_close(code: int, reason: str) -> bytes:
    """Return a close frame; a reason longer than 123 bytes is cut at a character."""
    if code == 1005:  # the peer named no code: neither do we
        return head(FIN | CLOSE, 0)
    text = reason.encode()[: MAX_LENGTH_7 - 2].decode(errors="ignore").encode()
    return head(FIN | CLOSE, 2 + len(text)) + code.to_bytes(2, "big") + text


def head(first: int, length: int) -> bytes:
    """Return what precedes a payload of `length` bytes: `first` holds the opcode and its bits."""
    if length <= MAX_LENGTH_7:
        return bytes((first, length))
    if length <= MAX_LENGTH_16:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


def unmask(payload: bytes, key: bytes) -> bytes:
    """Return `payload` xored with the repeated 4-byte `key`; as one big integer, in C."""
    length = len(payload)
    mask = (key * ((length + 3) >> 2))[:length]
    plain = int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")
    return plain.to_bytes(length, "little")


def frame_bytes(head: bytes) -> int | None:
    """Return the size of the frame that starts with `head`, `None` while its length is cut off."""
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    start = 2 + (4 if head[1] & MASKED else 0)
    if length <= MAX_LENGTH_7:
        return start + length
    width = 2 if length == 126 else 8
    if len(head) < 2 + width:
        return None
    return start + width + int.from_bytes(head[2 : 2 + width], "big")


def read_whole(data: bytes, max_message_bytes: int) -> bytes | None:
    """Return the text of `data` if it is one usual frame and nothing else, as it mostly is."""
    if len(data) < 6:
        return None
    one = _read_one(data, 0, max_message_bytes)
    return None if isinstance(one, Verdict) or one[1] != len(data) else one[0]


def read_texts(data: bytes, max_message_bytes: int) -> tuple[list[bytes], bytes, Verdict]:
    """Read whole, small, masked text frames from the start of `data`, and pass over pongs.

    Returns the texts (valid UTF-8), the bytes from where reading stopped, and why it stopped.
    """
    texts: list[bytes] = []
    position, verdict = 0, Verdict.MORE
    while len(data) - position >= 2:
        one = _read_one(data, position, max_message_bytes)
        if isinstance(one, Verdict):
            verdict = one
            break
        text, position = one
        if text is not None:
            texts.append(text)
    return texts, data[position:], verdict


def _read_one(
    data: bytes, position: int, max_message_bytes: int
) -> tuple[bytes | None, int] | Verdict:
    """Return the text of the frame at `position` (`None`: a pong) and where the next one starts."""
    first, second = data[position], data[position + 1]
    if first == WHOLE_PONG and MASKED <= second <= MASKED + MAX_LENGTH_7:
        stop = position + 6 + second - MASKED
        return (None, stop) if stop <= len(data) else Verdict.MORE
    if first != WHOLE_TEXT or second < MASKED:
        return Verdict.UNUSUAL
    length, start = second & 0x7F, position + 6
    if length > MAX_LENGTH_7:
        declared = _long_length(data, position, length)
        if isinstance(declared, Verdict):
            return declared
        start += 2 if length == 126 else 8
        length = declared
    if length > max_message_bytes:
        return Verdict.TOO_BIG
    stop = start + length
    if stop > len(data):
        return Verdict.MORE
    text = unmask(data[start:stop], data[start - 4 : start])
    return (text, stop) if text.isascii() or is_utf8(text) else Verdict.NOT_UTF8


def _long_length(data: bytes, position: int, length_7: int) -> int | Verdict:
    """Return a length of 16 or 63 bits; one that is wider than it had to be is not for us."""
    width, least, most = (2, 126, MAX_LENGTH_16) if length_7 == 126 else (8, 65536, MAX_LENGTH_63)
    field = data[position + 2 : position + 2 + width]
    if len(field) < width:
        return Verdict.MORE
    length = int.from_bytes(field, "big")
    return length if least <= length <= most else Verdict.UNUSUAL


def is_utf8(text: bytes) -> bool:
    """Say whether `text` is valid UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
