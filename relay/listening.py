"""The relay's three listening ends, one a lane, and the order in which what comes is taken.

Batches are taken lane by lane, a few at a time, and before each batch of normal or bulk the urgent
lane is looked at.
"""

from collections.abc import Callable

import trio

from backends.links.interface import Endpoint, Event, Links
from mesh.addresses import lane_urls
from proto.priorities import Priority

POLL_BATCHES = 4
"""Batches of one lane between two looks at the others: well under a millisecond of work."""

Handle = Callable[[Priority, Event], None]


class Listening:
    """Listens at the lanes of `address` from the start; what comes goes to `handle`.

    Raises `OSError` where it can't listen.
    """

    def __init__(self, address: str, links: Links, handle: Handle) -> None:
        self._handle = handle
        self._ends = _listen(address, links)

    @property
    def bad_messages(self) -> int:
        """Messages that were none of any link's; each cut its link."""
        return sum(end.bad for end in self._ends)

    async def serve(self, lane: Priority) -> None:
        """Take what comes on `lane`, until cancelled."""
        end = self._ends[lane]
        while True:
            events = end.poll(POLL_BATCHES)
            if not events:
                await end.wait()
                continue
            for event in events:
                if lane is not Priority.URGENT:
                    self._look_at_urgent()
                self._handle(lane, event)
            await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Listen no longer."""
        for end in self._ends:
            end.close()

    def _look_at_urgent(self) -> None:
        for event in self._ends[Priority.URGENT].poll(POLL_BATCHES):
            self._handle(Priority.URGENT, event)


def _listen(address: str, links: Links) -> list[Endpoint]:
    ends: list[Endpoint] = []
    try:
        ends += (links.listen(url) for url in lane_urls(address))
    except BaseException:
        for end in ends:
            end.close()
        raise
    return ends
