"""A node's side of its supervisor: says when it is ready, ends when the supervisor is gone.

Both go over one socket that the supervisor hands down: a `ready` line goes up, and a closed end
means that the supervisor died without stopping its nodes.
"""

import os
import signal
import socket

import trio

from ops.guard import die_with_parent

READY = b"ready\n"


class Supervision:
    """The socket to the supervisor, or nothing when a node runs alone."""

    def __init__(self, fd: int | None) -> None:
        """Take over the socket `fd`; with `None` every method does nothing."""
        self._socket = socket.socket(fileno=fd) if fd is not None else None
        if self._socket is not None:
            self._socket.set_inheritable(False)
            die_with_parent(self._socket)

    def say_ready(self) -> None:
        """Tell the supervisor that this node does its work now."""
        if self._socket is not None:
            self._socket.send(READY)

    async def die_when_orphaned(self) -> None:
        """Kill this process when the supervisor is gone: there is nobody left to drain for."""
        if self._socket is None:
            return
        with trio.socket.from_stdlib_socket(self._socket) as stream:
            while await _still_there(stream):
                pass
        os.kill(os.getpid(), signal.SIGKILL)


async def _still_there(stream: trio.socket.SocketType) -> bool:
    try:
        return await stream.recv(64) != b""
    except OSError:
        return False
