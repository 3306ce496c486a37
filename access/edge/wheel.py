"""One wheel of deadlines for all connections, instead of a timer or a task for each."""

from collections import defaultdict
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """Items by the tick at which they are due; pure: the time comes in with each call.

    An item is never taken out early: whoever gets it checks whether it is still of interest.
    """

    def __init__(self, now_s: float, tick_s: float) -> None:
        self.tick_s = tick_s
        self._next_tick = self._tick(now_s)
        self._slots: defaultdict[int, list[T]] = defaultdict(list)

    def put(self, item: T, due_s: float) -> None:
        """Have `item` returned by `advance` at `due_s`, or up to one tick later."""
        self._slots[max(self._tick(due_s) + 1, self._next_tick)].append(item)

    def advance(self, now_s: float) -> list[T]:
        """Return the items that are due, the earliest tick first."""
        due: list[T] = []
        last = self._tick(now_s)
        for tick in range(self._next_tick, last + 1):
            due += self._slots.pop(tick, ())
        self._next_tick = max(self._next_tick, last + 1)
        return due

    def _tick(self, time_s: float) -> int:
        return int(time_s / self.tick_s)
