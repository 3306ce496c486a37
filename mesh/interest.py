"""A node's interest, as one relay is told of it: steps, generations, confirmations.

A connection to a relay begins with a full step; then changes go out in batches, one batch at a
time: while one is unconfirmed, further changes gather. A relay that misses a step says `stale`
and gets a full one again. Pure: no links, no clock.
"""

from collections.abc import Iterable, Iterator

from proto.headers import Confirm, Interest

ROOM_OVERHEAD_BYTES = 3
"""What MessagePack adds to a room's name, at most."""


class Announcer:
    """What one relay knows, and has yet to be told, of the rooms in `wanted`.

    `wanted` is the node's own set, shared by the announcers of all its relays: the node changes
    the set first and then tells each announcer with `changed`. `take` and `leave` are for what
    this relay alone is told.
    """

    def __init__(self, wanted: set[str], header_bytes: int) -> None:
        self._wanted = wanted
        self._own: set[str] = set()
        self._step_bytes = header_bytes
        self._generation = 0
        self._confirmed_up_to = 0
        self._full = True
        self._full_since = 0
        self._changed: dict[str, None] = {}
        self._sent: dict[str, None] = {}
        self._known: set[str] = set()

    def changed(self, room: str) -> None:
        """Note that `room` was put into `wanted`, or taken out."""
        self._changed[room] = None

    def take(self, key: str) -> bool:
        """Want `key` of this relay; false where that is so already."""
        if key in self._own:
            return False
        self._own.add(key)
        self._changed[key] = None
        return True

    def leave(self, key: str) -> bool:
        """Want `key` of this relay no longer; false where that is so already."""
        if key not in self._own:
            return False
        self._own.discard(key)
        self._changed[key] = None
        return True

    def takes(self, key: str) -> bool:
        """Say whether `key` is wanted of this relay alone."""
        return key in self._own

    def confirmed(self, room: str) -> bool:
        """Say whether the relay's table has `room`, as far as this side can know."""
        return room in self._known

    def steps(self) -> list[Interest]:
        """Return the steps to send now: none while some are unconfirmed or nothing has changed."""
        if self._confirmed_up_to < self._generation or not self._something_to_say():
            return []
        rooms = [*self._wanted, *self._own] if self._full else list(self._changed)
        full, self._full = self._full, False
        if full:
            self._full_since = self._generation + 1
        self._changed.clear()
        self._sent = dict.fromkeys(rooms)
        return list(self._split(rooms, full))

    def confirm(self, confirm: Confirm) -> list[str]:
        """Take in what the relay says; returns the rooms that it confirms by that."""
        if confirm.stale:
            # Steps behind a missing one are stale too; the full step that was sent heals them all.
            if confirm.generation >= self._full_since:
                self._restart()
            return []
        self._confirmed_up_to = max(self._confirmed_up_to, confirm.generation)
        if self._confirmed_up_to < self._generation:
            return []
        now = [room for room in self._sent if self._wants(room) and room not in self._changed]
        self._sent.clear()
        self._known.update(now)
        return now

    def _something_to_say(self) -> bool:
        # A relay that has heard nothing has an empty table: no need to say that nothing is wanted.
        full = self._full and bool(self._wanted or self._own or self._generation)
        return full or bool(self._changed)

    def _wants(self, room: str) -> bool:
        return room in self._wanted or room in self._own

    def _restart(self) -> None:
        self._full = True
        self._confirmed_up_to = self._generation
        self._known.clear()

    def _split(self, rooms: Iterable[str], full: bool) -> Iterator[Interest]:
        """Cut the changes into steps whose headers stay below the limit."""
        add: list[str] = []
        drop: list[str] = []
        room_left = self._step_bytes
        for room in rooms:
            size = len(room) + ROOM_OVERHEAD_BYTES
            if size > room_left:
                yield self._step(full, add, drop)
                full, add, drop, room_left = False, [], [], self._step_bytes
            room_left -= size
            (add if self._wants(room) else drop).append(room)
            self._known.discard(room)
        yield self._step(full, add, drop)

    def _step(self, full: bool, add: list[str], drop: list[str]) -> Interest:
        self._generation += 1
        return Interest(self._generation, full, add, drop)
