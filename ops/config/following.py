"""When a node's config is read anew: on SIGHUP, and when its file changes.

The file is looked at each second. That works wherever the file comes from (an editor, a
configuration tool, a mounted Kubernetes ConfigMap), needs no signal to every process, and the same
holds for an access node's workers, which read the same file. SIGHUP is for what the file only
names (keys, certificates), and for who wants it at once.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

LOOK_S = 1.0

Reload = Callable[[], Awaitable[None]]
Mark = tuple[int, ...] | None
Ask = trio.MemorySendChannel[None]


class File:
    """A config file, to be made when it has just been read: what changes from then on counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = mark(path)

    async def changed(self) -> None:
        """Wait until there is another file under the name, or another content."""
        while True:
            await trio.sleep(LOOK_S)
            now = await trio.to_thread.run_sync(mark, self._path)
            if now not in (self._seen, None):
                self._seen = now
                return


async def follow(
    file: File | None, reload: Reload, hung_up: Callable[[], None] | None = None
) -> None:
    """Call `reload` each time that the config is to be read anew, until cancelled.

    `hung_up` is called at each SIGHUP too, at once. Must run in the main thread, as the only one
    that receives SIGHUP.
    """
    ask, asked = trio.open_memory_channel[None](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask_on_hangup, ask, hung_up)
        if file is not None:
            nursery.start_soon(_ask_on_change, ask, file)
        async for _ in asked:
            await reload()


def mark(file: Path) -> Mark:
    """Return what tells the file from one that replaces it, `None` where there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


async def _ask_on_hangup(ask: Ask, hung_up: Callable[[], None] | None) -> None:
    with trio.open_signal_receiver(signal.SIGHUP) as received:
        async for _ in received:
            if hung_up is not None:
                hung_up()
            _ask(ask)


async def _ask_on_change(ask: Ask, file: File) -> None:
    while True:
        await file.changed()
        _ask(ask)


def _ask(ask: Ask) -> None:
    try:
        ask.send_nowait(None)
    except trio.WouldBlock:
        pass  # One waits already, and will read what is there then.
