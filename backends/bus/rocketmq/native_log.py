"""The native client's own log: `~/logs/rocketmq-cpp`, files of each process; it knows no other."""

from typing import Any

WARNINGS = 3
"""It writes a line for each pull otherwise."""
FILES = 2
FILE_MIB = 4
"""It would keep three of 100 MiB for each process."""


def bound_log(library: Any, kind: str, handle: Any) -> None:
    """Let a `Producer` or `PushConsumer` (the `kind`) write warnings alone, and not without end."""
    getattr(library, f"Set{kind}LogFileNumAndSize")(handle, FILES, FILE_MIB)
    getattr(library, f"Set{kind}LogLevel")(handle, WARNINGS)
