"""Likes of rooms with different homes: a merger for each region, so that one that can't be reached
holds back the answers about its own rooms alone."""

from access.likes import Answer, LikeMerger
from proto.regions import Regions


class LikesByHome:
    """As one `LikeMerger`; `mergers` has those of each region."""

    def __init__(self, regions: Regions, incarnation: str) -> None:
        self._regions = regions
        self.mergers = {home: LikeMerger(incarnation) for home in regions.names or ("",)}

    @property
    def waiting(self) -> int:
        """Clients without an answer yet."""
        return sum(merger.waiting for merger in self.mergers.values())

    @property
    def idle(self) -> bool:
        """Whether everything is reported and acknowledged."""
        return all(merger.idle for merger in self.mergers.values())

    def count(self, room: str, likes: int, answer: Answer) -> bool:
        """Add `likes`; false (and nothing counted) when too many clients wait for an answer."""
        return self._of(room).count(room, likes, answer)

    def close(self, room: str) -> None:
        """Learn that the room was closed here: its next opening gets a counter of its own."""
        self._of(room).close(room)

    def _of(self, room: str) -> LikeMerger:
        return self.mergers[self._regions.home_of_room(room)]
