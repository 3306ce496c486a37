"""What watchers of a room saw of numbered messages, against what was acknowledged."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.crowd import Viewer

Number = tuple[str, int]
"""Priority and sequence number of a message; the room has one epoch in a run."""


@dataclass
class Seen:
    """What one watcher saw."""

    numbers: list[Number] = field(default_factory=list)
    skipped: set[Number] = field(default_factory=set)
    """Told to be thinned on purpose."""
    resets: int = 0

    def take(self, frame: dict[str, Any]) -> None:
        """Take a push of the room."""
        if frame["push"] == "skipped":
            told = range(frame["from"], frame["to"] + 1)
            self.skipped |= {(frame["priority"], seq) for seq in told}
        elif frame["push"] == "reset":
            self.resets += 1
        elif "seq" in frame:
            self.numbers.append((frame["priority"], frame["seq"]))

    def doubled(self) -> int:
        """Return how many messages came more than once."""
        return len(self.numbers) - len(set(self.numbers))

    def disordered(self) -> int:
        """Return how many came after a later one of their stream."""
        newest: dict[str, int] = {}
        wrong = 0
        for priority, seq in self.numbers:
            wrong += seq < newest.get(priority, 0)
            newest[priority] = max(seq, newest.get(priority, 0))
        return wrong


@dataclass
class Watch:
    """All watchers together, and the hosts whose speech is timed."""

    first_normal: int
    """Requests of clients from this id on are normal, those below it urgent."""
    acked: set[Number] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    """Requests that were answered with an error, by its code."""
    seen: dict[Viewer, Seen] = field(default_factory=dict)
    latencies_ms: dict[Viewer, list[float]] = field(default_factory=dict)

    def received(self, viewer: Viewer, frames: list[dict[str, Any]]) -> None:
        """Take the frames of one server message."""
        now_ns = time.monotonic_ns()
        for frame in frames:
            if "push" in frame:
                self.seen.setdefault(viewer, Seen()).take(frame)
                if frame["push"] == "speech":
                    late_ms = (now_ns - int(frame["text"])) / 1e6
                    self.latencies_ms.setdefault(viewer, []).append(late_ms)
            elif frame.get("reply"):
                self._answered(frame)

    def _answered(self, frame: dict[str, Any]) -> None:
        if "ok" in frame:
            priority = "normal" if frame["reply"] >= self.first_normal else "urgent"
            self.acked.add((priority, frame["ok"]["seq"]))
        else:
            self.refused[frame["error"]["code"]] += 1

    def missing(self, viewers: Iterable[Viewer]) -> int:
        """Return how many acknowledged urgent and normal messages came to nobody's sight, nor were
        told as skipped, over all `viewers`."""
        owed = {number for number in self.acked if number[0] != "bulk"}
        seen = [self.seen.get(viewer, Seen()) for viewer in viewers]
        return sum(len(owed - set(each.numbers) - each.skipped) for each in seen)

    def skipped(self) -> dict[str, int]:
        """Return how many messages were told as skipped, by priority, over all watchers."""
        told = Counter(priority for each in self.seen.values() for priority, _ in each.skipped)
        return {label: told[label] for label in ("urgent", "normal", "bulk")}
