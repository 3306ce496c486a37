"""A bounded queue of events between the client and an application that may read slowly."""

from collections import deque
from collections.abc import Callable

import trio

from relaymesh_client.errors import Closed
from relaymesh_client.events import Dropped, Event, Push
from relaymesh_client.im.events import Kept, Signal

MAX_KEPT = 1000
"""Instant messages waiting in a queue beyond which none are acknowledged: a few windows' worth."""
_BULK, _NORMAL, _REST, _KEPT = range(4)
_LANE = {"bulk": _BULK, "normal": _NORMAL}
_NAMES = ("bulk", "normal", "urgent")


class EventQueue:
    """An async iterator of events, in order.

    When `capacity` events wait, the oldest of the least urgent kind goes: bulk, then normal, then
    the rest. The next event that is read is then a `Dropped` that says how many went. So a slow
    reader costs bounded memory and never holds the connection or its own requests.

    Instant messages are never dropped: while more than `MAX_KEPT` wait, none are acknowledged, and
    the server sends no more than a window. `on_room` is called when they are that few again.
    """

    def __init__(self, capacity: int = 10_000, on_room: Callable[[], None] = lambda: None) -> None:
        """Begin empty; `capacity` must be at least 1."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1: {capacity}")
        self._on_room = on_room
        self._capacity = capacity
        self._lanes: tuple[deque[tuple[int, Event]], ...] = (deque(), deque(), deque(), deque())
        self._count = 0
        self._dropped: dict[str, int] = {}
        self._ended: Closed | None = None
        self._changed = trio.Event()

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes)

    @property
    def has_room(self) -> bool:
        """Whether instant messages that come now may be acknowledged."""
        return len(self._lanes[_KEPT]) <= MAX_KEPT

    def put(self, event: Event) -> None:
        """Add `event`; drops one when the queue is full."""
        lane = _lane_of(event)
        if lane != _KEPT and len(self) - len(self._lanes[_KEPT]) >= self._capacity:
            self._drop_one()
        self._count += 1
        self._lanes[lane].append((self._count, event))
        self._wake()

    def end(self, problem: Closed | None) -> None:
        """No event will come any more; with a `problem` the iterator raises it at its end."""
        self._ended = problem or Closed("the client is closed", 1000)
        self._wake()

    async def get(self) -> Event:
        """Return the next event; raises `Closed` when there is none left and none will come."""
        while not len(self) and not self._dropped:
            if self._ended is not None:
                raise self._ended
            await self._changed.wait()
        return self._next()

    def __aiter__(self) -> "EventQueue":
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.get()
        except Closed as problem:
            if problem.code == 1000:
                raise StopAsyncIteration from None
            raise

    def _next(self) -> Event:
        if self._dropped:
            dropped, self._dropped = self._dropped, {}
            return Dropped(dropped)
        had_room = self.has_room
        lane = min((lane for lane in self._lanes if lane), key=lambda lane: lane[0][0])
        event = lane.popleft()[1]
        if self.has_room and not had_room:
            self._on_room()
        return event

    def _wake(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _drop_one(self) -> None:
        for name, lane in zip(_NAMES, self._lanes, strict=False):
            if lane:
                lane.popleft()
                self._dropped[name] = self._dropped.get(name, 0) + 1
                return


def _lane_of(event: Event) -> int:
    if isinstance(event, Kept):
        return _KEPT
    if isinstance(event, Signal):
        return _BULK
    return _LANE.get(event.priority, _REST) if isinstance(event, Push) else _REST
