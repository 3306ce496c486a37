"""How many members this node has in its rooms: what to report, and when."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from proto.services import RoomCensus

ALL_EVERY = 10
"""Each so many reports name every room: what was lost before is mended."""


class Census:
    """Remembers which rooms have changed."""

    def __init__(self, *, max_rooms_per_report: int = 1000) -> None:
        self._max_rooms = max_rooms_per_report
        self._changed: dict[str, None] = {}
        self._reports = 0

    def changed(self, room: str) -> None:
        """Note that somebody came into `room` or left it."""
        self._changed[room] = None

    def reports(
        self, all_rooms: Iterable[str], facts: Callable[[str], RoomCensus]
    ) -> Iterator[list[RoomCensus]]:
        """Yield this second's reports: the changed rooms, or all of them every tenth time."""
        self._reports += 1
        if self._reports % ALL_EVERY == 0:
            self._changed.update(dict.fromkeys(all_rooms))
        changed, self._changed = self._changed, {}
        names = iter(changed)
        while part := list(islice(names, self._max_rooms)):
            yield [facts(room) for room in part]

    def failed(self, report: Iterable[RoomCensus]) -> None:
        """Note that a report did not arrive: its rooms go up again with the next."""
        self._changed.update(dict.fromkeys(room.room for room in report))
