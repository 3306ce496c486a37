"""The listening sockets, and the loop that accepts from one."""

import errno
import socket
from collections.abc import Callable

import structlog
import trio

from access.edge.counters import EdgeCounters
from access.edge.settings import EdgeSettings

log = structlog.get_logger()

BACKLOG = 4096
OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Taken = Callable[[socket.socket, str], None]
"""Takes over an accepted, non-blocking socket and its peer's address."""


def listen(
    host: str, port: int, settings: EdgeSettings, *, reuse_port: bool = False
) -> socket.socket:
    """Return a listening socket; `reuse_port` lets several processes share the port.

    The options are set here because accepted sockets inherit them, which saves two system calls
    for each. Raises `OSError` if the address can't be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(
        (host, port), family=family, backlog=BACKLOG, reuse_port=reuse_port
    )
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    notsent_lowat = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
    if notsent_lowat is not None:
        listener.setsockopt(socket.IPPROTO_TCP, notsent_lowat, settings.unsent_bytes)
    return listener


async def accept_loop(
    listener: socket.socket, settings: EdgeSettings, counters: EdgeCounters, taken: Taken
) -> None:
    """Accept until cancelled, a bounded number at a time; rests when descriptors run out."""
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            for _ in range(settings.accepts_per_wakeup):
                sock, address = listener.accept()
                sock.setblocking(False)
                counters.accepted += 1
                taken(sock, _readable(*address[:2]))
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                continue  # the peer gave up before it was accepted (ECONNABORTED and the like)
            counters.accept_pauses += 1
            log.warning("accept_paused", error=str(error), pause_s=settings.accept_pause_s)
            await trio.sleep(settings.accept_pause_s)
        await trio.lowlevel.checkpoint()


def _readable(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
