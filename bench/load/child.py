"""A process of a measurement: on cores of its own, asked line by line, ended for certain."""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from bench.cluster import process_cpu_s

Cores = set[int] | None
"""Cores to run on; `None`: wherever the system likes."""

ANSWER_LIMIT_S = 120.0
STOP_LIMIT_S = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_READ_BYTES = 1 << 16


class Child:
    """A running process; `ask` says a line to it and returns the JSON that it answers with."""

    def __init__(
        self, name: str, command: Sequence[str], cores: Cores, pass_fds: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._unread = b""
        with on(cores):
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                pass_fds=pass_fds,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def ask(self, line: str, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """Say `line` and return the answer; raises `ClickException` as `hear` does."""
        self.say(line)
        return self.hear(limit_s)

    def say(self, line: str) -> None:
        """Say `line`; raises `ClickException` when the process has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def hear(self, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """Return what it says next; raises `ClickException` when it has ended, reports an error or
        says nothing for `limit_s` seconds."""
        answer: dict[str, Any] = msgspec.json.decode(self._line(limit_s))
        if "error" in answer:
            raise click.ClickException(f"{self.name}: {answer['error']}")
        return answer

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used."""
        return process_cpu_s(self.pid)

    def rss_kb(self) -> float:
        """Return the memory that it has in use."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * _PAGE_BYTES / 1024

    def check(self) -> None:
        """Raise `ClickException` if it has ended."""
        if self.process.poll() is not None:
            raise self._ended()

    def stop(self) -> None:
        """End it and wait; does nothing where it has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            _close(stream)

    def _line(self, limit_s: float) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            if not select.select([self.process.stdout], [], [], limit_s)[0]:
                raise click.ClickException(f"{self.name} has not answered within {limit_s:g} s")
            part = os.read(self.process.stdout.fileno(), _READ_BYTES)
            if not part:
                raise self._ended()
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ended(self) -> click.ClickException:
        code = self.process.wait(STOP_LIMIT_S)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return click.ClickException(f"{self.name} ended with {code}: {lines[-1] if lines else ''}")


@contextmanager
def on(cores: Cores) -> Iterator[None]:
    """Be on `cores` for the block, and with this what is started in it: some programs count their
    cores when they begin."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _close(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        pass  # what was to be said to a process that has ended
