"""Measures round trips by the time in which a port where nobody listens refuses: no ping needed.

    round_trip.py TITLE NAME=ADDRESS...

Prints one line: the title, then each name with the median of some round trips in ms.
"""

import socket
import statistics
import sys
import time

NOBODYS_PORT = 9  # discard
TRIES = 5
PATIENCE_S = 1.5


def round_trip_ms(address: str) -> float | None:
    """Return one round trip to `address` in ms, `None` if no answer comes."""
    began_s = time.monotonic()
    try:
        socket.create_connection((address, NOBODYS_PORT), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        pass
    except OSError:
        return None
    return (time.monotonic() - began_s) * 1000


def measured(address: str) -> str:
    """Return the median of some round trips, in words."""
    first = round_trip_ms(address)  # it also asks for hardware addresses, which takes longer
    found = [round_trip_ms(address) for _ in range(TRIES)] if first is not None else []
    trips = [each for each in found if each is not None]
    return f"{statistics.median(trips):7.1f}" if trips else "   none"


def main() -> None:
    """Measure, and print."""
    title, *targets = sys.argv[1:]
    pairs = [target.partition("=") for target in targets]
    cells = "".join(f"  {name}{measured(address)}" for name, _, address in pairs)
    sys.stdout.write(f"{title:>6} {cells}\n")


if __name__ == "__main__":
    main()
