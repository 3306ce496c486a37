"""What is published: text of a fixed size with the marker that the load client looks for."""

import time

PAYLOAD_BYTES = 176
"""As in the comparisons with other servers."""

NUMBERS = 10**8
FORMAT = (
    "@<19 digits: CLOCK_MONOTONIC in ns at publishing><8 digits: the message's number>@, "
    f"filled up with x to {PAYLOAD_BYTES} bytes"
)


def payload(number: int, now_ns: int | None = None) -> bytes:
    """Return the payload of message `number`, published now (or at `now_ns`)."""
    at_ns = time.monotonic_ns() if now_ns is None else now_ns
    return (b"@%019d%08d@" % (at_ns, number % NUMBERS)).ljust(PAYLOAD_BYTES, b"x")
