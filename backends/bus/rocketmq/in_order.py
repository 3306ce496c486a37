"""Put right what the native threads shuffle: they take a queue's messages in order, but race."""

from typing import Generic, TypeVar

Item = TypeVar("Item")


class QueueInOrder(Generic[Item]):
    """Holds a message of one queue back until those before it came, for `patience_s` at most.

    Threads race within microseconds, so what is missing for longer is not on its way: another
    member had it, or the broker dropped it. The first message waits too, for one before it.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._next: int | None = None
        self._held: dict[int, tuple[Item, float]] = {}

    def arrive(self, offset: int, item: Item, now_s: float) -> list[Item]:
        """Take `item`; returns what may go on now, in order."""
        if self._next is not None and offset < self._next:
            return [item]
        self._held[offset] = (item, now_s)
        return self._take_consecutive()

    def wait_no_longer(self, now_s: float) -> list[Item]:
        """Return what has waited long enough, and what follows it without a gap."""
        released: list[Item] = []
        while self._held and self._oldest_arrival() + self._patience_s <= now_s:
            self._next = min(self._held)
            released += self._take_consecutive()
        return released

    def due_at_s(self) -> float | None:
        """Return when to call `wait_no_longer`; None while nothing is held."""
        return self._oldest_arrival() + self._patience_s if self._held else None

    def _oldest_arrival(self) -> float:
        return min(arrived_s for _, arrived_s in self._held.values())

    def _take_consecutive(self) -> list[Item]:
        taken = []
        while self._next is not None and self._next in self._held:
            taken.append(self._held.pop(self._next)[0])
            self._next += 1
        return taken
