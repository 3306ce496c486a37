"""The receiving end of one stream: what is next, what is a duplicate, what is missing. No I/O."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from relaymesh_client.events import Frame, Lost, Position, Priority, Push, Reset, RoomEvent, Skipped

MAX_HELD = 1000
"""Pushes held back behind a gap: as many as a room log keeps by default."""
MAX_FETCH = 200
"""Messages that one `fetch` may ask for (docs/protocol.md)."""


class Gap(NamedTuple):
    """Messages that did not come: fetch `first`..`last` (both included, at most `MAX_FETCH`)."""

    epoch: str
    first: int
    last: int


@dataclass(slots=True)
class Outcome:
    """What a step led to: events for the application, and a gap to fetch, if one is open now."""

    events: list[RoomEvent] = field(default_factory=list)
    fetch: Gap | None = None


class Stream:
    """Keeps the position of one stream and turns what comes into ordered events, each once.

    What arrives behind a gap is held until the server has said what became of the gap: a fetch
    without an answer says nothing, so the gap stays open.
    """

    def __init__(self, room: str, priority: Priority, position: Position) -> None:
        self.room = room
        self.priority = priority
        self.position = position
        self._missing_until = 0
        self._held: deque[Frame] = deque()

    def take(self, frame: Frame) -> Outcome:
        """Take a push of this stream, `skipped` and `reset` among them."""
        outcome = Outcome()
        if self._missing_until:
            self._hold(frame, outcome)
        else:
            self._step(frame, outcome)
        return outcome

    def fetched(self, epoch: str, oldest: int, frames: list[Frame]) -> Outcome:
        """Take the answer to `fetch`, and ask on for what it neither brought nor called gone.

        Gone is what is below `oldest` and not in `frames`, and all of it in another `epoch`.
        """
        outcome = Outcome()
        if not self._missing_until:
            return outcome
        if epoch != self.position.epoch:
            self._give_up(outcome)
            return outcome
        asked = self._gap()
        for frame in frames:
            self._repair(frame, oldest, outcome)
        self._lose_until(min(oldest - 1, asked.last), outcome)
        if self.position.seq >= self._missing_until:
            self._close(outcome)
        else:
            outcome.fetch = self._gap()
        return outcome

    def fetch_failed(self) -> Outcome:
        """Learn that the fetch got no answer that helps: the gap stays, to be fetched again."""
        return Outcome(fetch=self._gap() if self._missing_until else None)

    def disconnected(self) -> None:
        """Forget what is held: the resume starts at the position and brings it again."""
        self._missing_until = 0
        self._held.clear()

    def _step(self, frame: Frame, outcome: Outcome) -> None:
        kind = frame.get("push")
        if kind == "reset":
            self._move(Position(frame["epoch"], frame["seq"]), outcome)
        elif kind == "skipped":
            self._skip(frame, outcome)
        else:
            self._deliver_or_hold(frame, outcome)

    def _deliver_or_hold(self, frame: Frame, outcome: Outcome) -> None:
        epoch, seq = frame["epoch"], frame["seq"]
        if epoch != self.position.epoch:
            # A new numbering whose `reset` this client has not seen: say so and go on with it.
            self._move(Position(epoch, seq - 1), outcome)
        if seq == self.position.seq + 1:
            self._deliver(frame, outcome)
        elif seq > self.position.seq:
            self._open(frame, seq - 1, outcome)

    def _skip(self, frame: Frame, outcome: Outcome) -> None:
        epoch, first, last = frame["epoch"], frame["from"], frame["to"]
        if epoch != self.position.epoch:
            self._move(Position(epoch, first - 1), outcome)
        if first > self.position.seq + 1:
            self._open(frame, first - 1, outcome)
        elif last > self.position.seq:
            first = self.position.seq + 1
            outcome.events.append(Skipped(self.room, self.priority, epoch, first, last))
            self.position = Position(epoch, last)

    def _move(self, position: Position, outcome: Outcome) -> None:
        old, self.position = self.position, position
        if position != old and not _is_beginning(old, position):
            outcome.events.append(Reset(self.room, self.priority, old, position))

    def _deliver(self, frame: Frame, outcome: Outcome) -> None:
        epoch, seq = self.position.epoch, self.position.seq + 1
        kind = str(frame["push"])
        outcome.events.append(Push(self.room, kind, self.priority, epoch, seq, frame))
        self.position = Position(epoch, seq)

    def _hold(self, frame: Frame, outcome: Outcome) -> None:
        if len(self._held) < MAX_HELD:
            self._held.append(frame)
        elif not _goes_on(self._held[-1], frame):
            # The server itself has left behind what is missing.
            self._held.append(frame)
            self._give_up(outcome)
        elif _last(frame) > _last(self._held[-1]):
            # The newest alone shows that there is more: what it displaces is fetched in its turn.
            self._held[-1] = frame

    def _open(self, frame: Frame, missing_until: int, outcome: Outcome) -> None:
        self._missing_until = missing_until
        self._held.appendleft(frame)
        outcome.fetch = self._gap()

    def _gap(self) -> Gap:
        first = self.position.seq + 1
        last = min(self._missing_until, first + MAX_FETCH - 1)
        return Gap(self.position.epoch, first, last)

    def _repair(self, frame: Frame, oldest: int, outcome: Outcome) -> None:
        seq = frame["seq"]
        if not self.position.seq < seq <= self._missing_until:
            return
        self._lose_until(min(seq, oldest) - 1, outcome)
        if seq == self.position.seq + 1:
            self._deliver(frame, outcome)

    def _lose_until(self, last: int, outcome: Outcome) -> None:
        epoch, first = self.position.epoch, self.position.seq + 1
        if last < first:
            return
        outcome.events.append(Lost(self.room, self.priority, epoch, first, last))
        self.position = Position(epoch, last)

    def _give_up(self, outcome: Outcome) -> None:
        self._lose_until(self._missing_until, outcome)
        self._close(outcome)

    def _close(self, outcome: Outcome) -> None:
        self._missing_until = 0
        held, self._held = self._held, deque()
        for frame in held:
            if self._missing_until:
                self._held.append(frame)
            else:
                self._step(frame, outcome)


def _goes_on(before: Frame, frame: Frame) -> bool:
    """Whether `frame` is of the numbering that `before` left the stream in."""
    resets = "reset" in (before.get("push"), frame.get("push"))
    return not resets and before["epoch"] == frame["epoch"]


def _last(frame: Frame) -> int:
    last: int = frame["to"] if frame.get("push") == "skipped" else frame["seq"]
    return last


def _is_beginning(old: Position, new: Position) -> bool:
    """A room that nobody has written to has no epoch yet: getting one loses nothing."""
    return old.epoch == "" and old.seq == new.seq == 0
