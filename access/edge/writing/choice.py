"""Which write path this machine gets: io_uring when a probe has seen it do what we need."""

import socket
import sys
from array import array
from errno import EBADF
from typing import NamedTuple

from access.edge.settings import WritePathName
from access.edge.writing.interface import WritePath
from access.edge.writing.io_uring import RingWrites
from access.edge.writing.loop import LoopWrites
from access.edge.writing.ring import Ring

PROBE_BYTES = 1 << 24
"""More than any socket takes at once."""
SMALL_BUFFER_BYTES = 4096
PROBE_LIMIT_S = 5.0


class WritePathUnavailableError(ValueError):
    """The configured write path does not work here; the message says why."""


class Choice(NamedTuple):
    """A write path, and why it is this one."""

    path: WritePath
    reason: str


def choose(wanted: WritePathName, max_frame_bytes: int) -> Choice:
    """Return the write path for frames of mostly up to `max_frame_bytes`.

    Raises `WritePathUnavailableError` if `io_uring` is asked for by name and can't be had.
    """
    if wanted == "loop":
        return Choice(LoopWrites(), "configured")
    reason = why_not_io_uring()
    if not reason:
        return Choice(RingWrites(max_frame_bytes), "the probe has seen it work")
    if wanted == "io_uring":
        raise WritePathUnavailableError(f"edge.write_path: io_uring can't be used here: {reason}")
    return Choice(LoopWrites(), f"io_uring can't be used here: {reason}")


def why_not_io_uring() -> str:
    """Return why io_uring can't be used (a container's seccomp profile, an old kernel), or nothing.

    Kernels differ in more than their version tells, so it is tried: two sends must arrive, one that
    does not fit must be told with the bytes that did, and no descriptor at all as that.
    """
    if sys.platform != "linux":
        return "only Linux has it"
    try:
        ring = Ring(4, PROBE_BYTES)
    except OSError as error:
        return str(error)
    try:
        return _tried(ring)
    except OSError as error:
        return str(error)
    finally:
        ring.close()


def _tried(ring: Ring) -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER_BYTES)
        near.setblocking(False)
        far.settimeout(PROBE_LIMIT_S)
        number = near.fileno()
        if ring.send(array("i", (number, -1, number)), b"probe") != [(1, -EBADF)]:
            return "it did not tell of a bad descriptor"
        ((_, sent),) = ring.send(array("i", (number,)), bytes(PROBE_BYTES)) or [(0, 0)]
        near.shutdown(socket.SHUT_WR)
        received = _drained(far)
    return "" if 0 < sent == received - len(b"probeprobe") else "it did not tell of a short send"


def _drained(sock: socket.socket) -> int:
    count = 0
    while part := sock.recv(PROBE_BYTES):
        count += len(part)
    return count
