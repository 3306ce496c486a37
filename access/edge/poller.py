"""Which of many sockets are ready, behind one file descriptor that trio waits for.

A task and a registration with trio for each connection cost 3 KB and 8 µs a frame; one epoll for
all of them costs neither.
"""

import select
import selectors
import sys
from collections.abc import Sequence
from typing import Protocol

from access.edge.channel import Channel

READABLE = 1
WRITABLE = 4
Ready = Sequence[tuple[int, int]]
"""Pairs of a file descriptor and a mask in which `WRITABLE` may be set; whatever else is in the
mask (errors too) is found out by reading."""


class Poller(Protocol):
    """A set of non-blocking sockets, level-triggered."""

    def fileno(self) -> int:
        """Return the descriptor that is readable while any socket is ready."""
        ...

    def add(self, channel: Channel) -> None:
        """Watch `channel` for reading."""
        ...

    def watch_writing(self, channel: Channel, wanted: bool) -> None:
        """Watch `channel` for writing too, or no longer."""
        ...

    def remove(self, channel: Channel) -> None:
        """Forget `channel`; must come before its `close()`."""
        ...

    def ready(self, max_events: int) -> Ready:
        """Return some ready sockets, without waiting."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


class SelectorPoller:
    """What `selectors` finds best: kqueue on macOS and BSD."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def fileno(self) -> int:
        """See `Poller`."""
        number: int = self._selector.fileno()
        return number

    def add(self, channel: Channel) -> None:
        """See `Poller`."""
        self._selector.register(channel, selectors.EVENT_READ)

    def watch_writing(self, channel: Channel, wanted: bool) -> None:
        """See `Poller`."""
        writing = selectors.EVENT_WRITE if wanted else 0
        self._selector.modify(channel, selectors.EVENT_READ | writing)

    def remove(self, channel: Channel) -> None:
        """See `Poller`."""
        self._selector.unregister(channel)

    def ready(self, max_events: int) -> Ready:
        """See `Poller`."""
        masks = {selectors.EVENT_READ: READABLE, selectors.EVENT_WRITE: WRITABLE}
        events = self._selector.select(0)[:max_events]
        return [(key.fd, masks.get(mask, READABLE | WRITABLE)) for key, mask in events]

    def close(self) -> None:
        """See `Poller`."""
        self._selector.close()


if sys.platform == "linux":

    class EpollPoller:
        """Linux: nothing is kept per socket on our side, and events are bounded by the kernel."""

        def __init__(self) -> None:
            self._epoll = select.epoll()

        def fileno(self) -> int:
            """See `Poller`."""
            return self._epoll.fileno()

        def add(self, channel: Channel) -> None:
            """See `Poller`."""
            self._epoll.register(channel, select.EPOLLIN)

        def watch_writing(self, channel: Channel, wanted: bool) -> None:
            """See `Poller`."""
            self._epoll.modify(channel, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

        def remove(self, channel: Channel) -> None:
            """See `Poller`."""
            self._epoll.unregister(channel)

        def ready(self, max_events: int) -> Ready:
            """See `Poller`."""
            return self._epoll.poll(0, max_events)

        def close(self) -> None:
            """See `Poller`."""
            self._epoll.close()

    BestPoller: type[Poller] = EpollPoller
else:
    BestPoller = SelectorPoller
