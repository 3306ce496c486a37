"""Follows a node's config file while the node runs, and takes over what needs no restart.

The file is looked at each second. That works wherever the file comes from (an editor, a
configuration tool, a mounted Kubernetes ConfigMap), needs no signal to every process, and the same
holds for an access node's workers, which read the same file.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
import trio

from ops.errors import Refusal, one_line
from ops.roles import Service

LOOK_S = 1.0

log = structlog.get_logger()

Load = Callable[[], msgspec.Struct]
"""Reads the config anew and returns the settings of the role; raises `Refusal`."""


async def follow(file: Path, load: Load, service: Service) -> None:
    """Hand what the changed `file` says to `service`, for ever; a bad one changes nothing."""
    take = getattr(service, "reconfigured", None)
    if take is None:
        return
    seen = mark(file)
    while True:
        await trio.sleep(LOOK_S)
        now = await trio.to_thread.run_sync(mark, file)
        if now not in (seen, None):
            seen = now
            _take(file, load, take)


def mark(file: Path) -> tuple[int, ...] | None:
    """Return what tells the file from one that replaces it, `None` where there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _take(file: Path, load: Load, take: Callable[[msgspec.Struct], None]) -> None:
    try:
        take(load())
    except (Refusal, ValueError) as error:
        log.error("config_refused", file=str(file), reason=one_line(error))
    else:
        log.info("config_followed", file=str(file))
