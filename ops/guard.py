"""A child process never outlives the one that started it, whatever ends that one.

On Linux the kernel does it (`PR_SET_PDEATHSIG`). Elsewhere the child watches a socket that only its
parent holds the other end of: when it reads as closed, the parent is gone. Run as a script (alone,
with the standard library only: it stands in front of programs that know nothing of it) it does
this for any program:

    python guard.py SOCKET_FD PROGRAM [ARGUMENT...]
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: socket.socket) -> bool:
    """Ask the kernel to kill this process when its parent ends; returns whether it can do that.

    `parent` is watched for the case that the parent was gone before the request took effect.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        return False
    if _is_closed(parent):
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def _is_closed(parent: socket.socket) -> bool:
    try:
        return parent.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


def _run_beside(parent: socket.socket, command: list[str]) -> int:
    """Run `command` as a child of this process and kill it when the parent is gone."""
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: child.send_signal(received))

    def watch() -> None:
        with contextlib.suppress(OSError):
            while parent.recv(1):
                pass
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


def main(arguments: list[str]) -> None:
    """Become `arguments[1:]`, tied to the parent at the other end of socket `arguments[0]`."""
    parent = socket.socket(fileno=int(arguments[0]))
    if die_with_parent(parent):
        os.execv(arguments[1], arguments[1:])
    sys.exit(_run_beside(parent, arguments[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
