"""One room as the client knows it: wanted, asked for or joined, and its three streams. No I/O."""

from enum import Enum, auto
from typing import cast

from relaymesh_client.events import PRIORITIES, Frame, Joined, Position, Priority, Removed
from relaymesh_client.stream import Stream


class Standing(Enum):
    """Where the client stands with a room on the present connection."""

    WANTED = auto()
    ASKED = auto()
    JOINED = auto()


class Room:
    """A room that the application wants to be in, over all reconnects."""

    def __init__(self, name: str, history: int, ticket: int, give_up_at: float) -> None:
        self.name = name
        self.standing = Standing.WANTED
        self.streams: dict[Priority, Stream] = {}
        self.ticket: int | None = ticket
        """The application's request to join, until it is answered."""
        self.give_up_at = give_up_at
        self.ask_at = 0.0
        self._history = history

    def spec(self) -> Frame:
        """Return what `join` and the `join` list of `hello` say of this room."""
        if not self.streams:
            return {"room": self.name} | ({"history": self._history} if self._history else {})
        since = {
            priority: {"epoch": stream.position.epoch, "seq": stream.position.seq}
            for priority, stream in self.streams.items()
        }
        return {"room": self.name, "since": since}

    def joined(self, ok: Frame) -> Joined:
        """Take the answer to `join`.

        A resumed stream keeps its own position: the server starts there or sends a `reset`.
        """
        resumed = bool(self.streams)
        heads = _positions(ok.get("streams"))
        for priority, position in heads.items():
            if priority not in self.streams:
                self.streams[priority] = Stream(self.name, priority, position)
        self.standing = Standing.JOINED
        return Joined(
            room=self.name,
            role=str(ok.get("role", "")),
            online=_number(ok.get("online")),
            likes=_number(ok.get("likes")),
            carrier=str(ok.get("carrier", "")),
            heads=heads,
            resumed=resumed,
        )

    def disconnected(self) -> None:
        """Make ready to join again on the next connection."""
        self.standing = Standing.WANTED
        self.ask_at = 0.0
        for stream in self.streams.values():
            stream.disconnected()


def priority_of(frame: Frame) -> Priority | None:
    """Return the frame's priority if it is one that this version knows."""
    priority = frame.get("priority")
    return cast("Priority", priority) if priority in PRIORITIES else None


def removed_of(frame: Frame) -> Removed:
    """Return what a `removed` push says."""
    texts = (str(frame.get(name, "")) for name in ("room", "reason", "message"))
    room, reason, message = texts
    return Removed(room, reason, _number(frame.get("until_ms")), message)


def _positions(streams: object) -> dict[Priority, Position]:
    if not isinstance(streams, dict):
        return {}
    return {
        priority: Position(streams[priority]["epoch"], streams[priority]["seq"])
        for priority in PRIORITIES
        if priority in streams
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
