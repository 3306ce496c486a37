"""What a client offers of permessage-deflate, and what we agree to (RFC 7692, section 7).

Neither side keeps its window from one message to the next: ours could not, since all members of a
room get the same bytes, and the client's would be 32 KiB held for every idle connection.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

NAME = b"permessage-deflate"
MAX_WINDOW_BITS = 15
MIN_WINDOW_BITS = 9
"""zlib makes no raw stream with a window of 2^8 bytes: an offer that asks for one is declined."""

FLAG = re.compile(rb"")
BITS = re.compile(rb"[89]|1[0-5]")
BITS_OR_NONE = re.compile(rb"(?:[89]|1[0-5])?")
PARAMETERS = {
    b"server_no_context_takeover": FLAG,
    b"client_no_context_takeover": FLAG,
    b"server_max_window_bits": BITS,
    b"client_max_window_bits": BITS_OR_NONE,
}


@dataclass(frozen=True, slots=True)
class Agreed:
    """The terms of one connection."""

    window_bits: int
    """What we compress with reaches back at most 2^`window_bits` bytes."""
    answer: bytes
    """The value of our Sec-WebSocket-Extensions header."""


def agree(offers: Iterable[bytes]) -> Agreed | None:
    """Return the terms of the first offer that can be accepted, in the client's order.

    An offer that is malformed, or names a parameter that RFC 7692 does not have, is declined like
    an extension that is not known.
    """
    for offer in offers:
        name, *parameters = (part.strip() for part in offer.split(b";"))
        values = _values(parameters) if name.lower() == NAME else None
        if values is not None and (agreed := _agreed(values)) is not None:
            return agreed
    return None


def _values(parameters: list[bytes]) -> dict[bytes, bytes] | None:
    """Return the parameters by name, the value empty where there is none; `None`: malformed."""
    values: dict[bytes, bytes] = {}
    for parameter in parameters:
        name, equals, value = (part.strip() for part in parameter.partition(b"="))
        value = _unquoted(value)
        allowed = PARAMETERS.get(name)
        if name in values or allowed is None or not allowed.fullmatch(value):
            return None
        if equals and not value:
            return None
        values[name] = value
    return values


def _unquoted(value: bytes) -> bytes:
    quoted = len(value) >= 2 and value.startswith(b'"') and value.endswith(b'"')
    return value[1:-1] if quoted else value


def _agreed(values: dict[bytes, bytes]) -> Agreed | None:
    asked = values.get(b"server_max_window_bits")
    window_bits = int(asked or MAX_WINDOW_BITS)
    if window_bits < MIN_WINDOW_BITS:
        return None
    answer = NAME + b"; server_no_context_takeover; client_no_context_takeover"
    if asked:
        answer += b"; server_max_window_bits=" + asked
    # What the client compresses with is read at any window: client_max_window_bits needs no answer.
    return Agreed(window_bits, answer)
