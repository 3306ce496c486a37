"""Publishing at an even rate, whatever the protocol."""

import itertools
import time
from collections.abc import Callable

from bench.load.payload import payload, stamp_ns
from bench.load.target import Published

_numbers = itertools.count()


def paced(per_s: float, seconds: float, send: Callable[[bytes], object]) -> Published:
    """Give `send` the payloads of `per_s` messages a second for `seconds`, each when it is due."""
    count, began_ns, latest_ns = max(round(per_s * seconds), 1), time.monotonic_ns(), 0
    for done in range(count):
        due_ns = began_ns + round(done * 1e9 / per_s)
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / 1e9)
        now_ns = time.monotonic_ns()
        send(payload(next(_numbers), stamp_ns(due_ns, now_ns)))
        latest_ns = max(latest_ns, now_ns - due_ns)
    return Published(count, round(latest_ns / 1e6, 1))
