"""What a node wants of its relays, and the wait until those that matter have confirmed it."""

from collections.abc import Iterable, Mapping

import trio

from mesh.carriers import Carriers
from mesh.chosen import Chosen
from mesh.connection import STEP_BYTES, Connection
from mesh.interest import Announcer
from mesh.requests import unavailable


class Wanted:
    """Rooms that every relay is told of, and in `chosen` keys that one relay at a time is.

    `chooser` stands for this node where one relay is chosen; `up` are the relays that are up.
    """

    def __init__(self, chooser: str, up: Mapping[str, Connection], carriers: Carriers) -> None:
        self._up = up
        self._carriers = carriers
        self._rooms: set[str] = set()
        self._confirmations: dict[str, trio.Event] = {}
        self.chosen = Chosen(chooser, up)

    def __len__(self) -> int:
        """Return how many rooms every relay is told of."""
        return len(self._rooms)

    def announcer(self) -> Announcer:
        """Return what tells one more relay."""
        return Announcer(self._rooms, STEP_BYTES)

    def want(self, room: str) -> None:
        """Announce interest in `room` to every relay, now and after each reconnect."""
        self._rooms.add(room)
        self._tell(room)

    def unwant(self, room: str) -> None:
        """Withdraw the interest in `room`."""
        self._rooms.discard(room)
        self._tell(room)

    async def confirmed(self, room: str, within_s: float) -> None:
        """Wait until the carrier of `room` has confirmed the interest.

        Raises a `RequestError` (unavailable) when none has `within_s`.
        """
        with trio.move_on_after(within_s):
            while not self._has_confirmed(room):
                await self._confirmations.setdefault(room, trio.Event()).wait()
            return
        raise unavailable(f"no relay has confirmed the interest in {room}")

    def wake(self, rooms: Iterable[str]) -> None:
        """Have those look again who wait for a confirmation of `rooms`."""
        for room in rooms:
            event = self._confirmations.pop(room, None)
            if event is not None:
                event.set()

    def relays_changed(self) -> None:
        """Note that relays have come, gone, or begun or ceased to carry."""
        self.chosen.relays_changed()
        self.wake(list(self._confirmations))

    def _tell(self, room: str) -> None:
        for connection in self._up.values():
            connection.changed(room)

    def _has_confirmed(self, room: str) -> bool:
        """Say whether all relays have confirmed the interest by which the room may come now: its
        carrier, and those that other nodes may not yet, or still, take for it."""
        if room in self.chosen:
            return self.chosen.confirmed(room)
        carriers = self._carriers.of(room)
        by = [c for c in self._up.values() if c.relay in carriers[:1] or c.leaving or not c.settled]
        return bool(carriers) and all(each.announcer.confirmed(room) for each in by)
