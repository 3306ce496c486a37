"""Events that wait for their conversation to be diffused. Pure."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

D = TypeVar("D")
"""A delivery of the bus."""


@dataclass(slots=True)
class Batch(Generic[D]):
    """A delivery with events, and how many of them are not done."""

    delivery: D
    left: int


@dataclass(slots=True)
class _Event(Generic[D]):
    seq: int
    batch: Batch[D]


class Waiting(Generic[D]):
    """Conversations with events, each taken by one worker at a time, in the order of coming.

    An event is done when its conversation is diffused up to its number, or to its end at a time
    that began after the event came: numbers that no message has would wait for ever.
    """

    def __init__(self) -> None:
        self._events: dict[str, list[_Event[D]]] = {}
        self._taken: dict[str, int] = {}
        self._queue: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._events)

    @property
    def ready(self) -> int:
        """How many conversations could be taken now."""
        return len(self._queue)

    def add(self, delivery: D, events: Iterable[tuple[str, int]]) -> None:
        """Let a delivery's events, (conv, seq) and not empty, wait."""
        events = list(events)
        batch = Batch(delivery, len(events))
        for conv, seq in events:
            if conv not in self._events:
                self._events[conv] = []
                self._queue.append(conv)
            self._events[conv].append(_Event(seq, batch))

    def take(self, most: int) -> list[str]:
        """Return conversations to be diffused now; each is given back by `reached` or `again`."""
        taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._taken.update((conv, len(self._events[conv])) for conv in taken)
        return taken

    def reached(self, conv: str, seq: int, finished: bool) -> list[D]:
        """Give back `conv`, diffused up to `seq`, or (`finished`) to its end; return the
        deliveries that are done by that."""
        there = self._taken.pop(conv)
        events = self._events.pop(conv)
        left, done = [], []
        for index, event in enumerate(events):
            if event.seq <= seq or (finished and index < there):
                done.append(event.batch)
            else:
                left.append(event)
        if left or not finished:
            self._events[conv] = left
            self._queue.append(conv)
        return _settled(done)

    def again(self, convs: Collection[str]) -> None:
        """Give back conversations with which nothing was done; they come first."""
        for conv in reversed(list(convs)):
            del self._taken[conv]
            self._queue.appendleft(conv)


def _settled(done: Iterable[Batch[D]]) -> list[D]:
    settled = []
    for batch in done:
        batch.left -= 1
        if not batch.left:
            settled.append(batch.delivery)
    return settled
