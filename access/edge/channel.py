"""What the edge needs of a connection's socket, so that TLS can stand in its place."""

from collections.abc import Callable
from socket import socket
from typing import Protocol


class Channel(Protocol):
    """Non-blocking, like a socket; a socket itself is the channel of a plain connection."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        ...

    def recv(self, size: int, /) -> bytes:
        """Read about `size` bytes once; empty at the end.

        Raises `BlockingIOError` if nothing has come, `ssl.SSLError` for what is not proper TLS,
        `OSError` if the connection is broken.
        """
        ...

    def send(self, data: bytes, /) -> int:
        """Write and return how many bytes are done with: when that is not all of them, nothing but
        the rest may be sent next. `data` is not empty, and 2 bytes or more unless it is a rest.

        Raises `BlockingIOError` if none could be written, `OSError` if the connection is broken.
        """
        ...

    def shutdown(self, how: int, /) -> None:
        """End one direction or both; raises `OSError` if the connection is broken."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


OpenChannel = Callable[[socket], Channel]
"""Makes the channel of a socket that was accepted just now."""


def plain(sock: socket) -> Channel:
    """Return the socket itself."""
    return sock


def plain_descriptor(channel: Channel) -> int:
    """Return the descriptor that frames may be written to as they are, -1 if there is none."""
    return channel.fileno() if isinstance(channel, socket) else -1
