"""One access node, a core that writes: the real joiner, message by message, in virtual time.

Messages come at random to the rooms that are on the node. The core writes a round in chunks of
sockets, and after each chunk what is more urgent goes first, as `access.edge` does it.
"""

import heapq
from bisect import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from access.joiner import Joiner
from access.settings.room import RoomSettings
from access.stream import Ready
from proto.priorities import Priority
from simulation.costs import BYTE_US, MESSAGE_US, ROUND_US, WRITE_US

CHUNK = 256
"""Sockets that are written before the core looks at what is more urgent: io_uring's chunk."""

LATE = 100
"""Messages that may be under way at the end, however few there were."""

MOST_ARRIVALS = 20_000
LONGEST_S = 20.0
_SETTINGS = RoomSettings()


class Stream(NamedTuple):
    """One priority of a room on the node."""

    members: int
    priority: int
    rate: float


@dataclass(slots=True)
class Edge:
    """What the node did: the share of its core, and how old messages were when they were
    written."""

    share: float = 0.0
    full: float = 0.0
    """The share of its time in which it wrote or did other work in between."""
    seconds: float = 0.0
    messages: int = 0
    bulk: int = 0
    bulk_written: int = 0
    """Of `messages` and `written`."""
    writes: int = 0
    deliveries: int = 0
    written: int = 0
    """Messages that every member has got."""
    ages_s: list[list[tuple[float, int]]] = field(default_factory=lambda: [[], [], []])
    """By priority: how old a message was when a chunk of sockets had it, and how many they were."""

    @property
    def behind(self) -> bool:
        """Whether more came than could be written; bulk may wait, and does where it is busy."""
        came, went = self.messages - self.bulk, self.written - self.bulk_written
        return self.full > 0.9 and came - went > max(LATE, 0.1 * came)

    @property
    def joined(self) -> float:
        """Messages in a write."""
        return self.deliveries / self.writes if self.writes else 0.0


@dataclass(slots=True)
class _Round:
    stream: Stream
    index: int
    arrived: list[float]
    left: int
    chunk_s: float
    began: bool = False


class _Core:
    def __init__(self, streams: Sequence[Stream], frame_bytes: int, other: float) -> None:
        self.streams = streams
        self.found = Edge()
        self._frame = b"." * frame_bytes
        self.slower = 1.0 / (1.0 - min(other, 0.95))
        self._joiners: dict[int, Joiner] = {}
        self._arrived: dict[int, deque[float]] = {}
        self._due: list[tuple[float, int]] = []
        self._rounds: list[deque[_Round]] = [deque(), deque(), deque()]
        self.busy_s = 0.0

    def arrive(self, index: int, at: float) -> None:
        joiner = self._joiners.get(index)
        if joiner is None:
            joiner = self._joiners[index] = _joiner(self.streams[index].priority)
            self._arrived[index] = deque()
        self._arrived[index].append(at)
        joiner.add([Ready("e", 1, self._frame, None)])
        self.found.messages += 1
        self.found.bulk += self.streams[index].priority == Priority.BULK
        if len(joiner) == 1:
            self._look(index, joiner)

    def next_due(self) -> float | None:
        return self._due[0][0] if self._due else None

    def work(self, now: float) -> float | None:
        """Write one chunk; returns when that is done, or `None` where nothing is due."""
        while self._due and self._due[0][0] <= now:
            _, index = heapq.heappop(self._due)
            self._begin(index, now)
        for rounds in self._rounds:
            if rounds:
                return self._chunk(rounds, now)
        return None

    def _look(self, index: int, joiner: Joiner) -> None:
        due = joiner.due_at()
        if due is not None:
            heapq.heappush(self._due, (due, index))

    def _begin(self, index: int, now: float) -> None:
        taken = self._joiners[index].take(now)
        arrived = [self._arrived[index].popleft() for _ in taken]
        stream = self.streams[index]
        write_us = WRITE_US + len(taken) * len(self._frame) * BYTE_US
        self._rounds[stream.priority].append(
            _Round(stream, index, arrived, stream.members, write_us / 1e6)
        )
        self.found.writes += stream.members
        self.found.deliveries += stream.members * len(taken)

    def _chunk(self, rounds: deque[_Round], now: float) -> float:
        current = rounds[0]
        size = min(CHUNK, current.left)
        fixed_us = 0.0 if current.began else ROUND_US + MESSAGE_US * len(current.arrived)
        took_s = (size * current.chunk_s + fixed_us / 1e6) * self.slower
        self.busy_s += took_s / self.slower
        current.began = True
        written = now + took_s
        ages = self.found.ages_s[current.stream.priority]
        ages.extend((written - at, size) for at in current.arrived)
        current.left -= size
        if not current.left:
            rounds.popleft()
            self.found.written += len(current.arrived)
            if current.stream.priority == Priority.BULK:
                self.found.bulk_written += len(current.arrived)
            joiner = self._joiners[current.index]
            joiner.done(written)
            self._look(current.index, joiner)
        return written


def run(streams: Sequence[Stream], frame_bytes: int, other: float, random: Random) -> Edge:
    """Run the node with `streams`; `other` is the share of its core that other work takes."""
    core = _Core(streams, frame_bytes, other)
    sums = list(accumulate(stream.rate for stream in streams))
    if not sums or not sums[-1]:
        return core.found
    now, arrives, count = 0.0, random.expovariate(sums[-1]), 0
    while count < MOST_ARRIVALS and now < LONGEST_S:
        while arrives <= now and count < MOST_ARRIVALS:
            core.arrive(bisect(sums, random.random() * sums[-1]), arrives)
            arrives += random.expovariate(sums[-1])
            count += 1
        done = core.work(now)
        if done is None:
            due = core.next_due()
            now = arrives if due is None else min(arrives, max(due, now))
        else:
            now = done
    core.found.seconds = now
    core.found.share = core.busy_s / now if now else 0.0
    core.found.full = core.found.share * core.slower
    return core.found


def _joiner(priority: int) -> Joiner:
    return Joiner(
        0.0 if priority == 0 else _SETTINGS.tick_ms / 1000,
        tick_ratio=_SETTINGS.tick_ratio,
        max_pending=_SETTINGS.max_pending,
        max_pending_bytes=1 << 30,
        max_round_bytes=_SETTINGS.max_round_bytes,
    )
