"""Logs of the children: one bounded file each, warnings also to the eyes of who started them."""

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

MOST_BYTES = 8 * 1024 * 1024
"""Size of a file; together with the one before it, a node keeps at most twice that."""

LONGEST_LINE_BYTES = 64 * 1024
WARNINGS = frozenset({"warning", "error", "critical"})


class LogFile:
    """A file that starts anew when it is full, keeping the full one as `<name>.1`."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self.where = f" (log: {path})"
        self.last_lines: deque[str] = deque(maxlen=5)
        self._most_bytes = most_bytes
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, line: bytes) -> str | None:
        """Append `line`, which ends with a newline; returns its text if it is a warning."""
        if self._file.tell() + len(line) > self._most_bytes:
            self._turn_over()
        self._file.write(line)
        self.last_lines.append(line.decode("utf-8", "replace").rstrip())
        return warning_in(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _turn_over(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        self._file = self.path.open("ab", buffering=0)


def logs_in(folder: Path) -> Callable[[str], LogFile]:
    """Return what opens the file of a program, named by its id, in `folder`."""
    return lambda name: LogFile(folder / f"{name}.log")


class LineSplitter:
    """Cuts a stream of bytes into lines; one that never ends is cut at a bound."""

    def __init__(self) -> None:
        self._rest = b""

    def rest(self) -> list[bytes]:
        """Return what came after the last newline, at the end of the stream."""
        rest, self._rest = self._rest, b""
        return [rest + b"\n"] if rest else []

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Return the lines that `data` completes, each with its newline."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return [line + b"\n" for line in lines]


def last_words(lines: Iterable[str]) -> str:
    """Return why a process ended, out of its last `lines`: its logged reason, else what it said."""
    words = ""
    for line in lines:
        event = _event(line)
        words = words if event is not None else line.removeprefix("Error: ")
        words = str(event["reason"]) if event and "reason" in event else words
    return words


def _event(line: bytes | str) -> dict[str, object] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError:
        return None


def warning_in(line: bytes) -> str | None:
    """Return the text of a JSON log line that is a warning or worse, else `None`."""
    event = _event(line)
    if event is None:
        return None
    if event.get("level") not in WARNINGS:
        return None
    left_out = {"level", "timestamp", "node", "role", "event", "exception"}
    details = "".join(f" {key}={value}" for key, value in event.items() if key not in left_out)
    return f"{event['level']}: {event.get('event', '')}{details}"
