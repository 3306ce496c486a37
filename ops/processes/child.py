"""One process: started, watched, started again, stopped."""

import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import trio

from ops.errors import Failure
from ops.processes.backoff import Backoff
from ops.processes.log_file import LineSplitter, last_words
from ops.supervision import READY

DRAINED = 0
"""Exit code of a node that ended because it was ordered to drain."""

REFUSED = 2
"""Exit code of a node that does not like its config: starting it again changes nothing."""

FIRST_TRIES = 3
LAST_WORDS_S = 0.5
"""How long a dead child's pipe is read for lines still in it."""

Argv = Callable[[int], list[str]]
Report = Callable[[str], None]


class Program(NamedTuple):
    """What a child runs: `argv` takes the file descriptor of its supervision socket.

    `serving` returns once the program does its work; without it the program says so itself.
    """

    id: str
    role: str
    argv: Argv
    serving: Callable[[], Awaitable[None]] | None = None


class Log(Protocol):
    """Where a program's output goes."""

    where: str
    """How a message about the program names it, as in ` (log: FILE)`; may be empty."""

    @property
    def last_lines(self) -> Sequence[str]:
        """Return the last few lines."""

    def write(self, line: bytes) -> str | None:
        """Take a line with its newline; returns what of it is for the user's eyes."""

    def close(self) -> None:
        """Take no more."""


class Child:
    """Keeps one program running until it is asked to stop. One that has drained is started again
    too, which does not count as one of its `restarts`.

    `changed` is called at each start, ready and end; `report` takes a line for the user's eyes.
    """

    def __init__(
        self, program: Program, log: Log, changed: Callable[[], None], report: Report
    ) -> None:
        self.program = program
        self.restarts = 0
        self.ready = trio.Event()
        self.first_ready = trio.Event()
        self.ended = trio.Event()
        self._log = log
        self._changed = changed
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = trio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, while there is a process."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> str:
        """How a message names the place of the program's output."""
        return self._log.where

    def signal(self, number: int) -> None:
        """Send the program a signal, if it is ready: before that it might not understand it."""
        if self._process and self.ready.is_set():
            self._process.send_signal(number)

    def stop(self) -> None:
        """Ask the program to drain and end; `ended` is set when it has."""
        self._stopping.set()
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End the program at once."""
        self._stopping.set()
        if self._process:
            self._process.kill()

    async def keep(self) -> None:
        """Run the program, again after each death, until `stop` or `kill`.

        Raises `Failure` if it never got ready: at once for a refused config, else after some tries.
        """
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                code = await self._run()
                if not self._stopping.is_set():
                    self._require_hope(code)
                    now_s, was_ready = trio.current_time(), self.ready.is_set()
                    delay_s = backoff.delay_s(now_s=now_s, was_ready=was_ready)
                    await self._before_restart(code, delay_s)
        finally:
            self._log.close()
            self.ended.set()

    async def _run(self) -> int:
        """Run the program once; returns its exit code."""
        self.ready = trio.Event()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = self._start(theirs)
            self._process = process
            self._changed()
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._await_ready, ours)
                    code = await self._read_log_until_exit(process)
                    nursery.cancel_scope.cancel()
            finally:
                _make_sure_it_ended(process)
                self._process = None
                self._changed()
        return code

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        # From the main thread: the kernel's parent-death signal is tied to the starting thread.
        return subprocess.Popen(
            self.program.argv(theirs.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno()],
            # Ctrl-C at the terminal is ours alone to handle: children drain in our order.
            start_new_session=True,
        )

    async def _await_ready(self, ours: socket.socket) -> None:
        if self.program.serving:
            await self.program.serving()
        elif not await _says_ready(ours):
            return
        self.first_ready.set()
        self.ready.set()
        self._changed()

    async def _read_log_until_exit(self, process: subprocess.Popen[bytes]) -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_log, process)
            code = await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_S
        return code

    async def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        lines = LineSplitter()
        # FdStream owns its descriptor; Popen lets go of it.
        async with trio.lowlevel.FdStream(_detach(process)) as stream:
            async for data in stream:
                for line in lines.feed(data):
                    self._take_line(line)
        for line in lines.rest():
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        warning = self._log.write(line)
        if warning:
            self._report(f"{self.program.id}  {warning}")

    def _require_hope(self, code: int) -> None:
        if self.first_ready.is_set() or (code != REFUSED and self.restarts + 1 < FIRST_TRIES):
            return
        words = last_words(self._log.last_lines) or describe_exit(code)
        raise Failure(f"{self.program.id} does not start: {words}{self._log.where}")

    async def _before_restart(self, code: int, delay_s: float) -> None:
        drained = code == DRAINED and self.ready.is_set()
        self.restarts += not drained
        ended = "has drained" if drained else describe_exit(code)
        later = f" in {delay_s:.1f} s" if delay_s else ""
        self._report(f"{self.program.id}  {ended}; starting it again{later}")
        with trio.move_on_after(delay_s):
            await self._stopping.wait()


def describe_exit(code: int) -> str:
    """Say how a process ended, given its return code as `subprocess` has it."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


async def _says_ready(ours: socket.socket) -> bool:
    """Return whether a ready line came before the other end closed."""
    received = b""
    ours.setblocking(False)
    while READY not in received:
        await trio.lowlevel.wait_readable(ours)
        try:
            data = ours.recv(64)
        except OSError:
            return False
        if not data:
            return False
        received += data
    return True


def _detach(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    descriptor = os.dup(process.stdout.fileno())
    process.stdout.close()
    return descriptor


def _make_sure_it_ended(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind, also when this task is cancelled."""
    if process.poll() is None:
        process.kill()
        process.wait()
