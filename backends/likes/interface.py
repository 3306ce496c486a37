"""Like totals: a grow-only counter for each node that counts, summed up by room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

from proto.services import LikeCount, RoomCensus

SHARDS = 16
"""Changed rooms are spread over so many duties, so that the instances of logic share them."""

MAX_ENTERED = 10
"""Most names of who came in that are kept for a room: more is no use on a screen."""


def shard_of(room: str) -> int:
    """Return the shard of changed rooms that `room` is in."""
    return crc32(room.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Entered:
    """How many came into a room, and a few of their uids."""

    count: int
    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomTotals:
    """What is shown of a room once a second."""

    likes: int
    online: int


class Likes(Protocol):
    """Counts likes durably, one atomic write for each room and call."""

    async def count(self, room: str, counts: Sequence[LikeCount]) -> int:
        """Raise the room's counters to `counts` (a lower or equal count changes nothing) and
        return the room's total."""

    async def total(self, room: str) -> int:
        """Return the likes of `room`."""


class Census(Protocol):
    """How many connections each node has in each room."""

    async def report(self, node: str, incarnation: str, rooms: Sequence[RoomCensus]) -> None:
        """Take a node's report; a room with nobody in it is forgotten."""

    async def online(self, room: str, living: frozenset[tuple[str, str]]) -> int:
        """Return the members of `room` on the (node, incarnation)s that live."""

    async def take_entered(self, room: str) -> Entered:
        """Return who came in since the last call, and forget them. For show: a report that is
        repeated counts twice, an answer that is lost is lost."""


class ChangedRooms(Protocol):
    """Rooms whose totals have changed since they were last published, in shards."""

    async def mark(self, rooms: Sequence[str]) -> None:
        """Say that the totals of `rooms` have changed."""

    async def changed(self, shard: int) -> dict[str, int]:
        """Return the changed rooms of `shard`, each with the number of its last change."""

    async def done(self, shard: int, published: dict[str, int]) -> None:
        """Forget the rooms that have not changed since `changed` gave these numbers."""
