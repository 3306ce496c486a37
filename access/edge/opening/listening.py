"""The listening sockets."""

import socket
import struct
import sys

from access.edge.opening.admission import Queue
from access.edge.settings import EdgeSettings

BACKLOG = 65535
"""Linux takes less: what `net.core.somaxconn` says."""
TCP_INFO_QUEUE = struct.Struct("=24xII")


def listen(
    host: str, port: int, settings: EdgeSettings, *, reuse_port: bool = False
) -> socket.socket:
    """As `bind`, and clients may come."""
    listener = bind(host, port, settings, reuse_port=reuse_port)
    listener.listen(BACKLOG)
    return listener


def bind(
    host: str, port: int, settings: EdgeSettings, *, reuse_port: bool = False
) -> socket.socket:
    """Return a socket that has its address and takes nobody before its `listen(BACKLOG)`.

    `reuse_port` lets several processes share the port: each that listens gets its part. The options
    are set here because accepted sockets inherit them, which saves two system calls for each.
    Raises `OSError` if the address can't be bound.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        _set_options(listener, settings, reuse_port=reuse_port)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"can't listen at {host}:{port}: {error.strerror}") from None
    return listener


def queue_of(listener: socket.socket) -> Queue | None:
    """Return who waits to be accepted; `None` where the system does not tell.

    Linux has it in `tcpi_unacked` and `tcpi_sacked` of a listening socket (net/ipv4/tcp.c,
    tcp_get_info).
    """
    if sys.platform != "linux":
        return None
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_QUEUE.size)
    return Queue(*TCP_INFO_QUEUE.unpack(info))


def _set_options(listener: socket.socket, settings: EdgeSettings, *, reuse_port: bool) -> None:
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if listener.family == socket.AF_INET6:
        # Otherwise `::` would take IPv4 too on some systems and not on others.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    notsent_lowat = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Linux and macOS
    if notsent_lowat is not None:
        listener.setsockopt(socket.IPPROTO_TCP, notsent_lowat, settings.unsent_bytes)
