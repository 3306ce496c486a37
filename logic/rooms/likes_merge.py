"""Like counts merged: of each room and counter the greatest is all that matters."""

from collections import defaultdict

from proto.services import LikeCount


class LikesMerge:
    """Collects counts; doubled, late and reordered ones change nothing."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def add(self, like: LikeCount) -> None:
        """Take one count."""
        counters = self._rooms[like.room]
        counters[like.counter] = max(like.count, counters.get(like.counter, 0))

    def rooms(self) -> dict[str, list[LikeCount]]:
        """Return what is to be written, a list for each room."""
        return {
            room: [LikeCount(room, counter, count) for counter, count in counters.items()]
            for room, counters in self._rooms.items()
        }
