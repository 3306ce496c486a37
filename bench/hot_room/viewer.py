"""One viewer: it watches by one connection, and while it moves opens the next beside it."""

from collections.abc import Callable
from typing import Any

from bench.hot_room.line import Line
from bench.hot_room.watch import Watch

HELLO_ID = 0


class Viewer:
    """Has one `Watch` over all its connections; `on_move` is told of each `move`.

    The present line is read until the next one is open and says hello with the positions that the
    watch has then: so nothing is missed between the two, and nothing comes twice.
    """

    def __init__(self, token: str, room: str, on_move: Callable[["Viewer", Any], None]) -> None:
        self.watch = Watch()
        self.line: Line | None = None
        """The present connection."""
        self.next: Line | None = None
        """The one that is to follow it."""
        self.left = False
        self.due = 0
        """The number of what it does next, among what was put off."""
        self.been_there = False
        """Whether it was ever in the room."""
        self.refused_resumes = 0
        self._token = token
        self._room = room
        self._on_move = on_move
        self._resume = ""

    @property
    def live(self) -> bool:
        """Whether it is in the room now."""
        return self.line is not None and bool(self.line.node)

    def open(self, url: str, resume: str = "") -> Line:
        """Begin to open the next connection; `resume` is the token of a `move`."""
        self._resume = resume
        self.next = Line(url)
        return self.next

    def take(self, line: Line, frames: list[dict[str, Any]]) -> None:
        """Take what came by one of the connections."""
        for frame in frames:
            if "reply" in frame:
                self._answered(line, frame)
            elif frame["push"] == "move":
                self._on_move(self, frame)
            elif frame.get("room") == self._room:
                self.watch.take(frame)

    def say_hello_by_next(self) -> Line | None:
        """Go over to the next connection, which is open; returns the one before, to be closed."""
        before, self.line, self.next = self.line, self.next, None
        self._say_hello()
        return before

    def _say_hello(self) -> None:
        assert self.line is not None
        join = {"room": self._room, "since": self.watch.since()}
        hello = {"op": "hello", "id": HELLO_ID, "token": self._token, "join": [join]}
        self.line.send(hello | ({"resume": self._resume} if self._resume else {}))

    def _answered(self, line: Line, frame: dict[str, Any]) -> None:
        if "error" in frame:
            if frame["error"].get("field") != "resume":
                raise ConnectionError(f"hello: {frame['error']['code']}")
            self.refused_resumes += 1
            self._resume = ""
            self._say_hello()
            return
        room = frame["ok"]["rooms"][self._room]
        if "error" in room:
            raise ConnectionError(f"join: {room['error']['code']}")
        self.watch.joined(room["streams"])
        line.node, self.been_there = frame["ok"]["node"], True
