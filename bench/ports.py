"""Free ports for clusters, of which many start beside each other: tests do, and measurements."""

import contextlib
import random
import socket
from collections import deque
from contextlib import ExitStack

HOST = "127.0.0.1"
PORT_SPAN = 120
"""Ports that one cluster may use, from its port base on."""

# Below the ports that the system gives to outgoing connections, which come and go by the thousand.
FIRST = 12_000
CELLS = 166
"""Cells of `PORT_SPAN` ports, all below 32,000."""

CLAIMS = 11_000
"""A process that takes a cell holds the port that far on from here, at which nobody listens."""

HELD = 8
"""Clusters for which a process holds its claims: earlier ones listen by now, which is seen."""

_held: deque[ExitStack] = deque()


class NoFreePortsError(Exception):
    """So many ports beside each other are not free."""


def free_port_base(span: int = PORT_SPAN) -> int:
    """Return a port base from which `span` ports are free.

    Nobody else who asks gets them, in other processes neither, until this one has asked for some
    more. Raises `NoFreePortsError` when there are none.
    """
    cells = -(-span // PORT_SPAN)
    for first in random.sample(range(CELLS - cells + 1), CELLS - cells + 1):
        claims = _claims(range(first, first + cells))
        if claims is not None:
            _hold(claims)
            return _base(first)
    raise NoFreePortsError(f"no {span} free ports from {FIRST} to {_base(CELLS)}")


def _base(cell: int) -> int:
    return FIRST + PORT_SPAN * cell


def _claims(cells: range) -> ExitStack | None:
    """Take these cells, unless one of them is another's or has a port that is in use."""
    with ExitStack() as claims:
        for cell in cells:
            claim = claims.enter_context(socket.socket())
            if not _bound(claim, CLAIMS + cell):
                return None
        if all(map(_is_free, range(_base(cells.start), _base(cells.stop)))):
            return claims.pop_all()
    return None


def _hold(claims: ExitStack) -> None:
    _held.append(claims)
    if len(_held) > HELD:
        _held.popleft().close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of a cluster that has just ended don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bound(probe, port)


def _bound(sock: socket.socket, port: int) -> bool:
    with contextlib.suppress(OSError):
        sock.bind((HOST, port))
        return True
    return False
