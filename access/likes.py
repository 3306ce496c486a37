"""Merges likes per room: clients' taps become one cumulative count a room and flush."""

from collections.abc import Callable, Iterable

from proto.errors import ErrorBody
from proto.services import LikeCount, LikesBody

Answer = Callable[[ErrorBody | None], None]
"""Tells a client that its likes are counted, or why that is not known."""


class _Counter:
    """One opening of one room: only ever grows, so a repeated report changes nothing."""

    __slots__ = ("count", "id", "reported", "room", "waiting")

    def __init__(self, room: str, counter_id: str) -> None:
        self.room = room
        self.id = counter_id
        self.count = 0
        self.reported = 0
        """The count that logic has acknowledged."""
        self.waiting: list[Answer] = []


class LikeMerger:
    """Counts, and says what to report next: one report at a time is on its way.

    Clients are answered after the report that contains their likes was acknowledged. When it
    failed they learn that (their likes may count), and the counts go up with the next report.
    """

    def __init__(self, incarnation: str, *, max_rooms: int = 1000, max_waiting: int = 50_000):
        self._incarnation = incarnation
        self._max_rooms = max_rooms
        self._max_waiting = max_waiting
        self._opened = 0
        self._counters: dict[str, _Counter] = {}
        self._dirty: dict[str, _Counter] = {}
        """By counter id: counters of closed rooms stay until they are reported."""
        self._flushing: list[tuple[_Counter, int, list[Answer]]] = []
        self.waiting = 0
        """Clients without an answer yet."""

    @property
    def idle(self) -> bool:
        """Whether everything is reported and acknowledged."""
        return not self._dirty and not self._flushing

    def count(self, room: str, likes: int, answer: Answer) -> bool:
        """Add `likes`; false (and nothing counted) when too many clients wait for an answer."""
        if self.waiting >= self._max_waiting:
            return False
        counter = self._counters.get(room)
        if counter is None:
            self._opened += 1
            counter = _Counter(room, f"{self._incarnation}.{self._opened}")
            self._counters[room] = counter
        counter.count += likes
        counter.waiting.append(answer)
        self.waiting += 1
        self._dirty[counter.id] = counter
        return True

    def close(self, room: str) -> None:
        """Learn that the room was closed here: its next opening gets a counter of its own."""
        self._counters.pop(room, None)

    def flush(self) -> LikesBody | None:
        """Return the next report, or `None`: nothing to report, or one is on its way."""
        if self._flushing or not self._dirty:
            return None
        for counter in list(self._dirty.values())[: self._max_rooms]:
            self._flushing.append((counter, counter.count, counter.waiting))
            counter.waiting = []
        return LikesBody([LikeCount(c.room, c.id, count) for c, count, _ in self._flushing])

    def acknowledged(self) -> None:
        """The report is kept: answer those whose likes were in it."""
        flushed, self._flushing = self._flushing, []
        for counter, count, waiting in flushed:
            counter.reported = count
            if counter.count == count and not counter.waiting:
                self._dirty.pop(counter.id, None)
            self._answer(waiting, None)

    def failed(self, error: ErrorBody) -> None:
        """The report may or may not be kept: say so; the next one carries these counts again."""
        flushed, self._flushing = self._flushing, []
        for _, _, waiting in flushed:
            self._answer(waiting, error)

    def _answer(self, waiting: Iterable[Answer], error: ErrorBody | None) -> None:
        for answer in waiting:
            self.waiting -= 1
            answer(error)
