"""Frames as a client makes them, and reading them with the edge's reader, cut anywhere."""

import itertools
import zlib

from access.edge.frames import unmask
from access.edge.reading.fallback import Heard
from access.edge.reading.reader import Reader

LIMIT = 300
KEY = b"\x01\x82\x43\xf4"
TAIL = b"\x00\x00\xff\xff"


def frame(
    payload: bytes, first: int = 0x81, *, masked: bool = True, width: int | None = None
) -> bytes:
    """A client's frame; `width` forces the size of the length field."""
    size = len(payload)
    width = width if width is not None else 0 if size < 126 else 2 if size < 65536 else 8
    seven = {0: size, 2: 126, 8: 127}[width]
    head = bytes((first, seven | (0x80 if masked else 0)))
    head += size.to_bytes(width, "big") if width else b""
    return head + (KEY + unmask(payload, KEY) if masked else payload)


def deflated(message: bytes, level: int = 6, bits: int = 15) -> bytes:
    """The payload of a compressed message."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -bits)
    data = deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(TAIL)


def ended(message: bytes) -> bytes:
    """The payload of a compressed message whose last block says that it is the last."""
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(message) + deflater.flush() + b"\x00"


def read(
    data: bytes, cuts: list[int] | None = None, limit: int = LIMIT, *, inflates: bool = False
) -> list[Heard]:
    """What the reader hears of `data`, handed over in pieces."""
    reader = Reader(limit, inflates=inflates)
    heard: list[Heard] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts or ()), len(data)]
    for start, stop in itertools.pairwise(places):
        heard += reader.feed(data[start:stop])
    return heard
