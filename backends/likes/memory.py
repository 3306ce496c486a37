"""Like totals, census and changed rooms in memory, for tests of a cluster in one process."""

from collections.abc import Callable, Sequence

from backends.likes.interface import MAX_ENTERED, SHARDS, Entered, shard_of
from proto.services import LikeCount, RoomCensus


class MemoryLikes:
    """Implements `Likes`."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._counters: dict[tuple[str, str], int] = {}
        self.writes = 0
        """How many calls of `count` there were, for tests of merging."""

    async def count(self, room: str, counts: Sequence[LikeCount]) -> int:
        """See `Likes`."""
        self.writes += 1
        for like in counts:
            known = self._counters.get((room, like.counter), 0)
            if like.count > known:
                self._counters[room, like.counter] = like.count
                self._totals[room] = self._totals.get(room, 0) + like.count - known
        return self._totals.get(room, 0)

    async def total(self, room: str) -> int:
        """See `Likes`."""
        return self._totals.get(room, 0)


class MemoryCensus:
    """Implements `Census`; reports older than `age_s` count no more."""

    def __init__(self, now_ms: Callable[[], int], age_s: float = 60.0) -> None:
        self._now_ms = now_ms
        self._age_ms = round(age_s * 1000)
        self._online: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
        self._entered: dict[str, Entered] = {}

    async def report(self, node: str, incarnation: str, rooms: Sequence[RoomCensus]) -> None:
        """See `Census`."""
        for census in rooms:
            self._report((node, incarnation), census)

    async def online(self, room: str, living: frozenset[tuple[str, str]]) -> int:
        """See `Census`."""
        too_old = self._now_ms() - self._age_ms
        reports = self._online.get(room, {})
        return sum(n for life, (n, at) in reports.items() if life in living and at > too_old)

    async def take_entered(self, room: str) -> Entered:
        """See `Census`."""
        return self._entered.pop(room, Entered(0, ()))

    def _report(self, life: tuple[str, str], census: RoomCensus) -> None:
        reports = self._online.setdefault(census.room, {})
        reports[life] = (census.online, self._now_ms())
        if not census.online:
            del reports[life]
        if not reports:
            del self._online[census.room]
        if census.entered_count:
            known = self._entered.get(census.room, Entered(0, ()))
            uids = (*reversed(census.entered), *known.uids)[:MAX_ENTERED]
            self._entered[census.room] = Entered(known.count + census.entered_count, uids)


class MemoryChangedRooms:
    """Implements `ChangedRooms`."""

    def __init__(self) -> None:
        self._number = 0
        self._shards: list[dict[str, int]] = [{} for _ in range(SHARDS)]

    async def mark(self, rooms: Sequence[str]) -> None:
        """See `ChangedRooms`."""
        for room in rooms:
            self._number += 1
            self._shards[shard_of(room)][room] = self._number

    async def changed(self, shard: int) -> dict[str, int]:
        """See `ChangedRooms`."""
        return dict(self._shards[shard])

    async def done(self, shard: int, published: dict[str, int]) -> None:
        """See `ChangedRooms`."""
        changed = self._shards[shard]
        for room, number in published.items():
            if changed.get(room) == number:
                del changed[room]
