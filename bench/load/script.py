"""What a connection says and waits for until it is open, in the form that the load client reads."""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LONGEST_ANSWER_BYTES = 16 * 1024
"""What the load client keeps of the answers to one script."""


class Step(NamedTuple):
    """Send `say` (nothing where it is empty), then wait until `until` has come."""

    say: bytes
    until: bytes


Script = Sequence[Step]


def encoded(scripts: Iterable[Script]) -> bytes:
    """Return the load client's file for these connections, one script each."""
    return b"".join(map(_one, scripts))


def _one(script: Script) -> bytes:
    parts = [struct.pack("=I", len(script))]
    for text in (text for step in script for text in step):
        parts += [struct.pack("=I", len(text)), text]
    return b"".join(parts)
