"""Put right what the native threads shuffle: they take a queue's messages in order, but race."""

from typing import Generic, TypeVar

Item = TypeVar("Item")


class QueueInOrder(Generic[Item]):
    """Holds a message of one queue back until those before it came.

    The native client hands what it pulled at once to one thread, one after the other, and what it
    pulled next to other threads meanwhile. So what is missing is on its way as long as the queue
    moves on; only after `patience_s` without that, another member had it or the broker dropped it.
    The first message waits too, `first_patience_s`, for one before it.
    """

    def __init__(self, first_patience_s: float, patience_s: float) -> None:
        self._first_patience_s = first_patience_s
        self._patience_s = patience_s
        self._next: int | None = None
        self._moved_s = 0.0
        self._held: dict[int, tuple[Item, float]] = {}

    def arrive(self, offset: int, item: Item, now_s: float) -> list[Item]:
        """Take `item`; returns what may go on now, in order."""
        if self._next is not None and offset < self._next:
            self._moved_s = now_s
            return [item]
        self._held[offset] = (item, now_s)
        taken = self._take_consecutive()
        if taken:
            self._moved_s = now_s
        return taken

    def wait_no_longer(self, now_s: float) -> list[Item]:
        """Return what has waited long enough, and what follows it without a gap."""
        released: list[Item] = []
        while self._held and self._due_at_s() <= now_s:
            self._next = min(self._held)
            released += self._take_consecutive()
        return released

    def due_at_s(self) -> float | None:
        """Return when to call `wait_no_longer`; None while nothing is held."""
        return self._due_at_s() if self._held else None

    def _due_at_s(self) -> float:
        oldest_s = min(arrived_s for _, arrived_s in self._held.values())
        if self._next is None:
            return oldest_s + self._first_patience_s
        return max(oldest_s, self._moved_s) + self._patience_s

    def _take_consecutive(self) -> list[Item]:
        taken = []
        while self._next is not None and self._next in self._held:
            taken.append(self._held.pop(self._next)[0])
            self._next += 1
        return taken
