"""One task for all timers of the node: a task each would cost more than what they time."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import NoReturn

import trio


class Alarms:
    """Calls functions at times of trio's clock. There is no cancel: a callback looks whether there
    is still something to do, so an alarm too many does no harm."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._tie = count()
        self._earlier = trio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when_s: float, ring: Callable[[], None]) -> None:
        """Call `ring` at `when_s`, or soon if that is past; it must neither wait nor raise."""
        heapq.heappush(self._heap, (when_s, next(self._tie), ring))
        if self._heap[0][2] is ring:
            self._earlier.set()

    async def run(self) -> NoReturn:
        """Ring, for ever."""
        while True:
            self._ring_due()
            self._earlier = trio.Event()
            with trio.move_on_at(self._heap[0][0] if self._heap else float("inf")):
                await self._earlier.wait()

    def _ring_due(self) -> None:
        now = trio.current_time()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        # Not while popping: one that sets itself again at once must not hold the loop.
        for ring in due:
            ring()
