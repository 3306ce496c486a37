"""Likes merged: many taps become one frame each interval and room. No I/O."""

from collections.abc import Callable

MAX_LIKES_PER_FRAME = 1000


class LikeMerger:
    """Counts a room's likes and lets one frame's worth go each `interval_s`.

    A like is not repeated once it may have been counted, so what was taken is forgotten here; what
    was refused without effect comes back with `add`.
    """

    def __init__(self, interval_s: float = 0.2) -> None:
        self.interval_s = interval_s
        self._waiting: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def add(self, room: str, count: int, now: float) -> None:
        """Count `count` likes more for `room`."""
        self._waiting[room] = self._waiting.get(room, 0) + count
        self._due.setdefault(room, now + self.interval_s)

    def waiting(self, room: str) -> int:
        """Return the likes of `room` that have not been taken yet."""
        return self._waiting.get(room, 0)

    def discard(self, room: str) -> None:
        """Forget `room` and what waits for it."""
        self._waiting.pop(room, None)
        self._due.pop(room, None)

    def take(self, now: float, may_send: Callable[[str], bool]) -> list[tuple[str, int]]:
        """Return the rooms that are due and may be sent to, each with a count for one frame."""
        due = [room for room, at in self._due.items() if at <= now and may_send(room)]
        return [(room, self._take(room, now)) for room in due]

    def next_due(self, may_send: Callable[[str], bool]) -> float | None:
        """Return when `take` next has something, as things stand."""
        return min((at for room, at in self._due.items() if may_send(room)), default=None)

    def _take(self, room: str, now: float) -> int:
        count = min(self._waiting[room], MAX_LIKES_PER_FRAME)
        self._waiting[room] -= count
        if self._waiting[room]:
            self._due[room] = now + self.interval_s
        else:
            self.discard(room)
        return count
