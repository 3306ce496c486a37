"""One stream of a room on this node: puts messages in order, and says what is missing.

A message is delivered once and in order, or the members are told: `Skip` for what was given up on
purpose (bulk only), `Reset` for what the room log no longer has or for a new numbering. The log's
word decides which epoch is the current one, since the bus may bring an old one late.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from proto.headers import RoomHeader
from proto.services import FetchAnswer


class Ready(NamedTuple):
    """The stream's next message: its finished frame, and its header unless it was fetched."""

    epoch: str
    seq: int
    frame: bytes
    header: RoomHeader | None

    @property
    def first_seq(self) -> int:
        """The same as `seq`: every output covers a range."""
        return self.seq

    @property
    def last_seq(self) -> int:
        """The same as `seq`."""
        return self.seq


class Skip(NamedTuple):
    """These numbers are given up; the next is `last_seq` + 1."""

    epoch: str
    first_seq: int
    last_seq: int


class Reset(NamedTuple):
    """What comes before is gone or of another epoch; the next is `last_seq` + 1.

    `first_seq` is the first number that is gone in this epoch (`last_seq` + 1 if none is).
    """

    epoch: str
    first_seq: int
    last_seq: int


Output = Ready | Skip | Reset


class Gap(NamedTuple):
    """What to ask the room log for."""

    epoch: str
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class RepairRules:
    """When a gap is acted upon, and what may be held meanwhile."""

    repaired: bool
    """Whether gaps are fetched; if not (bulk) they are told as skipped."""
    reorder_s: float
    """How long a gap may close by itself: two logic instances may publish 6 before 5."""
    tail_s: float = 0.5
    """How long a stream must have been quiet until a head beyond it counts as a loss: heads come
    straight from the log and overtake messages that still wait on the bus."""
    max_held: int = 1000
    max_held_bytes: int = 1 << 20
    max_fetch: int = 200
    first_backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    max_fruitless: int = 5
    """Answers without a missing message, though the log claims to have it, until it counts as
    gone."""


@dataclass(slots=True)
class CursorCounters:
    """What one or more cursors have seen."""

    duplicates: int = 0
    stale_epoch: int = 0
    held_full: int = 0
    gaps: int = 0
    repaired: int = 0
    """Messages that came by a fetch."""
    skipped: int = 0
    resets: int = 0


class _Held:
    """Frames of one epoch that wait for the ones before them; bounded."""

    def __init__(self, rules: RepairRules) -> None:
        self._rules = rules
        self._frames: dict[int, tuple[bytes, RoomHeader | None]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, seq: int, frame: bytes, header: RoomHeader | None) -> str:
        """Keep a frame; returns `held`, `known` or `full`."""
        if seq in self._frames:
            return "known"
        size = self._bytes + len(frame)
        if len(self._frames) >= self._rules.max_held or size > self._rules.max_held_bytes:
            return "full"
        self._bytes = size
        self._frames[seq] = (frame, header)
        return "held"

    def pop(self, seq: int) -> tuple[bytes, RoomHeader | None] | None:
        """Take one frame out."""
        found = self._frames.pop(seq, None)
        if found is not None:
            self._bytes -= len(found[0])
        return found

    def first(self) -> int:
        """Return the lowest number held."""
        return min(self._frames)

    def forget_through(self, seq: int) -> None:
        """Drop what is not above `seq`."""
        for known in [known for known in self._frames if known <= seq]:
            self.pop(known)


class _Candidate:
    """An epoch that is not ours: the log is asked whether it is the current one."""

    def __init__(self, epoch: str, rules: RepairRules) -> None:
        self.epoch = epoch
        self.head = 0
        self.held = _Held(rules)


class Cursor:
    """The position of one stream. All times are seconds of one clock that the caller chooses."""

    def __init__(
        self, rules: RepairRules, epoch: str, seq: int, counters: CursorCounters | None = None
    ) -> None:
        self.epoch = epoch
        self.seq = seq
        """The last number that was given out or told."""
        self.head = seq
        """The highest number known to exist."""
        self.counters = counters or CursorCounters()
        self._rules = rules
        self._held = _Held(rules)
        self._candidate: _Candidate | None = None
        self._past: deque[str] = deque(maxlen=8)
        self._fed_at = float("-inf")
        self._wait_until = float("-inf")
        self._retry_at = float("-inf")
        self._asked: Gap | None = None
        self._failures = 0
        self._fruitless = 0

    @property
    def held(self) -> int:
        """How many frames wait for a gap to close."""
        return len(self._held)

    def feed(self, header: RoomHeader, frame: bytes, now: float) -> list[Output]:
        """Take a message as it arrives; returns what goes to the members now, in order."""
        seq = header.seq
        if header.epoch != self.epoch and not self._is_first_ever(header):
            self._feed_candidate(header, frame)
            return []
        self._fed_at = now
        if seq == self.seq + 1 and not self._held:
            self.seq = seq
            if seq > self.head:
                self.head = seq
            return [Ready(self.epoch, seq, frame, header)]
        if seq <= self.seq:
            self.counters.duplicates += 1
            return []
        return self._feed_ahead(seq, frame, header, now)

    def heads(self, epoch: str, seq: int, now: float) -> None:
        """Learn the log's head: it reveals a loss at the stream's end."""
        if epoch == self.epoch:
            if seq > self.head:
                if self.head == self.seq:
                    self._wait_until = now + self._rules.tail_s
                self.head = seq
        elif epoch and seq:
            candidate = self._candidate_of(epoch)
            candidate.head = max(candidate.head, seq)

    def due_at(self) -> float | None:
        """Return when `act` has something to do, or `None`: nothing is missing, or it was asked."""
        if self._asked is not None:
            return None
        if self._candidate is not None:
            return self._retry_at
        if self.seq >= self.head:
            return None
        wait_until = self._wait_until
        if not self._held:
            wait_until = max(wait_until, self._fed_at + self._rules.tail_s)
        return max(wait_until, self._retry_at)

    def act(self, now: float) -> tuple[list[Output], Gap | None]:
        """Act on a gap that is due: returns what to tell the members and what to fetch.

        After a `Gap`, call `fetched` or `fetch_failed`; until then nothing is due.
        """
        due = self.due_at()
        if due is None or due > now:
            return [], None
        if self._candidate is not None:
            self._asked = Gap(self._candidate.epoch, 1, self._rules.max_fetch)
            return [], self._asked
        first, last = self._gap()
        self.counters.gaps += 1
        if not self._rules.repaired:
            self.counters.skipped += last - self.seq
            return [self._jump(Skip(self.epoch, first, last)), *self._drain()], None
        last = min(last, first + self._rules.max_fetch - 1)
        self._asked = Gap(self.epoch, first, last)
        return [], self._asked

    def fetch_failed(self, now: float, random: float) -> None:
        """Learn that the fetch got no answer: it is tried again, later each time.

        `random` (0 to 1) spreads nodes that failed together.
        """
        self._asked = None
        pause = min(self._rules.first_backoff_s * 2**self._failures, self._rules.max_backoff_s)
        self._failures = min(self._failures + 1, 30)
        self._retry_at = now + pause * (0.5 + random)

    def fetched(self, answer: FetchAnswer, now: float, random: float) -> list[Output]:
        """Take the log's answer to the gap; returns what goes to the members now, in order."""
        asked, self._asked = self._asked, None
        if asked is None:
            return []
        self._failures, self._retry_at = 0, float("-inf")
        self._wait_until = now
        candidate, self._candidate = self._candidate, None
        if answer.epoch not in ("", self.epoch):
            return self._switch(answer, candidate)
        if candidate is not None:
            self._past.append(candidate.epoch)
            self.counters.stale_epoch += 1
        if asked.epoch != self.epoch:
            return []
        if answer.epoch == "":
            return self._lost()
        return self._repair(asked, answer, now, random)

    def _is_first_ever(self, header: RoomHeader) -> bool:
        """Whether the room's first message has come, which names the epoch."""
        first = self.epoch == "" and header.seq == 1 and self._candidate is None
        if first:
            self.epoch = header.epoch
        return first

    def _feed_candidate(self, header: RoomHeader, frame: bytes) -> None:
        if header.epoch in self._past:
            self.counters.stale_epoch += 1
            return
        candidate = self._candidate_of(header.epoch)
        candidate.head = max(candidate.head, header.seq)
        if candidate.held.add(header.seq, frame, header) == "full":
            self.counters.held_full += 1

    def _candidate_of(self, epoch: str) -> _Candidate:
        if self._candidate is None or self._candidate.epoch != epoch:
            self._candidate = _Candidate(epoch, self._rules)
        return self._candidate

    def _feed_ahead(self, seq: int, frame: bytes, header: RoomHeader, now: float) -> list[Output]:
        if not self._held:
            self._wait_until = now + self._rules.reorder_s
        self.head = max(self.head, seq)
        if seq == self.seq + 1:
            # Held frames follow: it must not be refused for want of room.
            self.seq = seq
            self._wait_until = now + self._rules.reorder_s
            return [Ready(self.epoch, seq, frame, header), *self._drain()]
        kept = self._held.add(seq, frame, header)
        if kept == "known":
            self.counters.duplicates += 1
        elif kept == "full":
            self.counters.held_full += 1
        return []

    def _drain(self) -> list[Output]:
        ready: list[Output] = []
        while (found := self._held.pop(self.seq + 1)) is not None:
            self.seq += 1
            ready.append(Ready(self.epoch, self.seq, *found))
        return ready

    def _gap(self) -> tuple[int, int]:
        return self.seq + 1, self._held.first() - 1 if self._held else self.head

    def _jump(self, told: Skip | Reset) -> Output:
        self.seq = told.last_seq
        self.head = max(self.head, self.seq)
        return told

    def _reset_through(self, seq: int) -> Output:
        self.counters.resets += 1
        return self._jump(Reset(self.epoch, self.seq + 1, seq))

    def _lost(self) -> list[Output]:
        """The log has nothing at all any more: go on with what is held."""
        if self.seq >= self.head:
            return []
        return [self._reset_through(self._gap()[1]), *self._drain()]

    def _repair(self, asked: Gap, answer: FetchAnswer, now: float, random: float) -> list[Output]:
        self.head = max(self.head, answer.head_seq)
        outputs: list[Output] = []
        if self.seq < self.head and answer.oldest_seq > self.seq + 1:
            outputs.append(self._reset_through(min(answer.oldest_seq - 1, self._gap()[1])))
        outputs += self._take_fetched(answer.frames)
        if self.seq >= asked.first_seq:
            self._fruitless = 0
            return outputs
        self._fruitless += 1
        if self._fruitless < self._rules.max_fruitless:
            self._failures = self._fruitless
            self.fetch_failed(now, random)
            return outputs
        self._fruitless = 0
        return [*outputs, *self._lost()]

    def _take_fetched(self, frames: list[tuple[int, bytes]]) -> list[Output]:
        outputs = self._drain()
        for seq, frame in frames:
            if seq == self.seq + 1:
                self.seq = seq
                self.counters.repaired += 1
                outputs.append(Ready(self.epoch, seq, frame, None))
                outputs += self._drain()
            elif seq > self.seq:
                self._held.add(seq, frame, None)
        self._held.forget_through(self.seq)
        self.head = max(self.head, self.seq)
        return outputs

    def _switch(self, answer: FetchAnswer, candidate: _Candidate | None) -> list[Output]:
        outputs: list[Output] = []
        while self._held:
            outputs += self._lost()
        held = _Held(self._rules)
        head = answer.head_seq
        if candidate is not None and candidate.epoch == answer.epoch:
            held, head = candidate.held, max(head, candidate.head)
        elif candidate is not None:
            self._past.append(candidate.epoch)
        before = self.epoch
        if before:
            self._past.append(before)
        self._begin(answer, held, head)
        if before or self.seq:
            self.counters.resets += 1
            outputs.append(Reset(self.epoch, self.seq + 1, self.seq))
        frames = answer.frames if self._rules.repaired else []
        return [*outputs, *self._take_fetched(frames)]

    def _begin(self, answer: FetchAnswer, held: _Held, head: int) -> None:
        start = answer.oldest_seq - 1 if self._rules.repaired else head
        if held:
            start = min(start, held.first() - 1)
        self.epoch, self.head, self.seq, self._held = answer.epoch, head, start, held
        self._fruitless = 0
        if self.epoch in self._past:
            self._past.remove(self.epoch)
