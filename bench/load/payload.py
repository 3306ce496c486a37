"""What is published: text of a fixed size with the marker that the load client looks for."""

import time

PAYLOAD_BYTES = 176
"""As in the comparisons with other servers."""

NUMBERS = 10**8
COARSE_NS = 2_000_000
"""What a wake-up may be late. A message that is later is stamped with the time at which it was
due: a publisher that is held up must not make the server look fast."""

FORMAT = (
    "@<19 digits: CLOCK_MONOTONIC in ns at publishing><8 digits: the message's number>@, "
    f"filled up with x to {PAYLOAD_BYTES} bytes"
)


def payload(number: int, now_ns: int | None = None) -> bytes:
    """Return the payload of message `number`, published now (or at `now_ns`)."""
    at_ns = time.monotonic_ns() if now_ns is None else now_ns
    return (b"@%019d%08d@" % (at_ns, number % NUMBERS)).ljust(PAYLOAD_BYTES, b"x")


def stamp_ns(due_ns: int, now_ns: int) -> int:
    """Return the time from which a message counts that was due at `due_ns` and leaves now."""
    return due_ns if now_ns - due_ns > COARSE_NS else now_ns
