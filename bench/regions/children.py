"""Processes that are started, killed and started again, and never outlive who started them."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FD = "{fd}"
"""Stands on a command line for the descriptor of the supervision socket."""

GUARD = Path(__file__).parents[2] / "ops" / "guard.py"
LAST_WORDS_BYTES = 2000


def guarded(argv: Sequence[str]) -> list[str]:
    """Return what runs `argv`, a program that knows nothing of supervision, for `Child.start`."""
    program = shutil.which(argv[0]) or argv[0]
    return [sys.executable, "-I", "-S", str(GUARD), FD, program, *argv[1:]]


class Child:
    """A process with a log of its own.

    Started from the main thread: the kernel ends it with the thread that has started it.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: socket.socket | None = None

    def start(self, argv: Sequence[str]) -> None:
        """Run `argv`, in which `FD` is the socket at whose closing the program ends, and where it
        says when it is ready."""
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("ab") as log:
            fd = str(theirs.fileno())
            self._process = subprocess.Popen(
                [fd if word == FD else word for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        self._ours = ours

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """Return whether the program has said that it is."""
        assert self._ours is not None
        try:
            return bool(self._ours.recv(64, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def kill(self) -> None:
        """End the process with SIGKILL; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._ours is not None:
            self._ours.close()
            self._ours = None

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
