"""What one viewer has of a room's streams: where it is, what it missed. Pure."""

from typing import Any, NamedTuple

RELIABLE = ("urgent", "normal")
"""Streams in which nothing may be missing."""


class Position(NamedTuple):
    """The last message of a stream."""

    epoch: str
    seq: int


class Watch:
    """Follows the pushes of one room by their numbers."""

    __slots__ = ("doubled", "likes", "lost", "positions", "told")

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.lost = 0
        self.doubled = 0
        self.told = 0
        self.likes = 0

    def joined(self, streams: dict[str, Any]) -> None:
        """Take the positions of a join's answer; what is known already stands."""
        for label, stream in streams.items():
            self.positions.setdefault(label, Position(stream["epoch"], stream["seq"]))

    def since(self) -> dict[str, dict[str, Any]]:
        """Return the positions as `since` of a join."""
        return {
            label: {"epoch": at.epoch, "seq": at.seq}
            for label, at in self.positions.items()
            if at.epoch
        }

    def take(self, push: dict[str, Any]) -> None:
        """Take a push of the room."""
        label = push["priority"]
        if push["push"] in ("skipped", "reset"):
            self._jump(label, push)
            return
        if push["push"] == "likes":
            self.likes = push["total"]
        self._next(label, push["epoch"], push["seq"])

    def behind(self, heads: dict[str, int]) -> int:
        """Return how many reliable messages up to `heads` have not come."""
        return sum(
            max(0, heads.get(label, 0) - self.positions[label].seq)
            for label in RELIABLE
            if label in self.positions
        )

    def _next(self, label: str, epoch: str, seq: int) -> None:
        at = self.positions.get(label, Position(epoch, seq - 1))
        if seq <= at.seq and epoch == at.epoch:
            self.doubled += 1
            return
        if label in RELIABLE and epoch == at.epoch:
            self.lost += seq - at.seq - 1
        self.positions[label] = Position(epoch, seq)

    def _jump(self, label: str, push: dict[str, Any]) -> None:
        seq = push["to"] if push["push"] == "skipped" else push["seq"]
        if label in RELIABLE:
            self.told += 1
            self.lost += max(0, seq - self.positions[label].seq)
        self.positions[label] = Position(push["epoch"], seq)
