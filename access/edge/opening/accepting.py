"""The loop that accepts from a listener, a bounded number at each turn of trio's loop."""

import errno
import socket
from collections.abc import Callable
from time import thread_time
from typing import Protocol

import structlog
import trio

from access.edge.counters import EdgeCounters
from access.edge.opening.admission import Pace
from access.edge.opening.listening import queue_of
from access.edge.settings import EdgeSettings

log = structlog.get_logger()

OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
REST_S = 0.005
"""How long nobody is accepted when all places are taken and nobody is sent away yet."""

LAST_REFUSALS = 512
"""Of those who wait when a listener closes: a bound on how long that holds the loop."""

Take = Callable[[socket.socket, str], None]
"""Takes over an accepted, non-blocking socket and its peer's address."""


class Door(Protocol):
    """Who stands behind the listeners."""

    settings: EdgeSettings
    counters: EdgeCounters
    clock: Callable[[], float]

    def shut(self) -> bool:
        """Say whether everybody is sent away, as the node is full or drains."""
        ...

    def busy(self) -> bool:
        """Say whether a round is being written."""
        ...

    def free(self) -> int:
        """Return how many connections may begin to open now."""
        ...

    def take(self, sock: socket.socket, address: str) -> None:
        """Begin to open a connection."""
        ...

    def turn_away(self, sock: socket.socket, address: str) -> None:
        """Send a client away."""
        ...


async def accept_loop(listener: socket.socket, door: Door, pace: Pace) -> None:
    """Accept until cancelled; rests when file descriptors run out."""
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            await _until_nobody_waits(listener, door, pace)
        except BlockingIOError:
            pace.drained()
        except OSError as error:
            if error.errno in OUT_OF_RESOURCES:
                await _rest(door, error)
            # Else the peer gave up before it was accepted (ECONNABORTED and the like).
            pace.rest()


async def _until_nobody_waits(listener: socket.socket, door: Door, pace: Pace) -> None:
    while (queue := queue_of(listener)) is None or queue.waiting:
        opens, refusals = pace.turn(
            door.clock(),
            thread_time(),
            free=door.free(),
            busy=door.busy(),
            shut=door.shut(),
            queue=queue,
        )
        _accept(listener, opens, door, door.take)
        _accept(listener, refusals, door, door.turn_away)
        if opens or refusals:
            await trio.lowlevel.checkpoint()
        else:
            pace.rest()
            await trio.sleep(REST_S)
    pace.drained()


def refuse_the_last(listener: socket.socket, door: Door) -> None:
    """Send those away who wait behind a listener that is about to close."""
    try:
        _accept(listener, LAST_REFUSALS, door, door.turn_away)
    except OSError:
        pass  # nobody waits any more


def _accept(listener: socket.socket, most: int, door: Door, take: Take) -> None:
    for _ in range(most):
        sock, address = listener.accept()
        sock.setblocking(False)
        door.counters.accepted += 1
        take(sock, readable(*address[:2]))


async def _rest(door: Door, error: OSError) -> None:
    pause_s = door.settings.accept_pause_s
    door.counters.accept_pauses += 1
    log.warning("accept_paused", error=str(error), pause_s=pause_s)
    await trio.sleep(pause_s)


def readable(host: str, port: int) -> str:
    """Return an address as it is shown."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
