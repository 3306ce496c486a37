"""The room log in memory, for tests of a whole cluster in one process."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from msgspec import structs

from backends.moderation.memory import MemoryModeration
from backends.room_log.interface import Appended, Terms
from backends.room_log.memory_guard import Guard
from backends.room_log.retention import Retention
from proto.client_requests import MAX_FETCH
from proto.headers import HeadsHeader
from proto.heat import ORDINARY, Rule, Ways
from proto.ids import RandomBits, new_id
from proto.priorities import Priority
from proto.server_frames import numbered
from proto.services import FetchAnswer, FetchBody


@dataclass(slots=True)
class _Message:
    seq: int
    ts_ms: int
    push: bytes


@dataclass(slots=True)
class _Room:
    epoch: str
    seqs: list[int] = field(default_factory=lambda: [0, 0, 0])
    logs: list[deque[_Message]] = field(default_factory=lambda: [deque() for _ in Priority])
    last_ts_ms: int = 0


class MemoryRoomLog:
    """Implements `RoomLog`. Forgets a room's numbering never; the process is short-lived."""

    def __init__(
        self,
        retention: Retention,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
        moderation: MemoryModeration | None = None,
    ) -> None:
        self._retention = retention
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._guard = Guard(moderation or MemoryModeration(now_ms))
        self._rooms: dict[str, _Room] = {}
        self._seen: dict[tuple[str, str, str], Appended] = {}
        self.rules: dict[str, Rule] = {}
        """What holds for rooms, as `MemoryHeat` says."""

    async def append(
        self,
        room: str,
        priority: Priority,
        push: bytes,
        *,
        uid: str,
        mid: str,
        ts_ms: int,
        terms: Terms | None = None,
    ) -> Appended:
        """See `RoomLog`."""
        first = self._first(room, uid, mid, ts_ms) or self._guard.first(room, mid, ts_ms, terms)
        if first is not None:
            return replace(first, ways=self._ways(room))
        self._guard.admit(room, uid, ts_ms, terms)
        kept = self._room(room)
        kept.seqs[priority] += 1
        kept.last_ts_ms = ts_ms
        seq = kept.seqs[priority]
        kept.logs[priority].append(_Message(seq, ts_ms, push))
        self._trim(kept.logs[priority], ts_ms)
        appended = Appended(priority, kept.epoch, seq, ts_ms, False, self._ways(room))
        self._seen[room, uid, mid] = replace(appended, again=True)
        self._guard.kept(room, uid, mid, appended, terms)
        return appended

    async def recall(self, room: str, uid: str, mid: str) -> Appended | None:
        """See `RoomLog`."""
        return self._first(room, uid, mid, self._now_ms())

    async def heads(self, room: str) -> HeadsHeader:
        """See `RoomLog`."""
        return structs.replace(_heads(self._room(room)), rule=self.rules.get(room))

    async def active_heads(self) -> dict[str, HeadsHeader]:
        """See `RoomLog`."""
        too_old = self._now_ms() - round(self._retention.active_s * 1000)
        return {
            r: _heads(kept)
            for r, kept in self._rooms.items()
            if any(kept.seqs) and kept.last_ts_ms >= too_old
        }

    async def fetch(self, room: str, body: FetchBody) -> FetchAnswer:
        """See `RoomLog`."""
        kept = self._rooms.get(room)
        if kept is None:
            return FetchAnswer("", 0, 1, [])
        log, head = kept.logs[body.priority], kept.seqs[body.priority]
        self._trim(log, self._now_ms())
        oldest = log[0].seq if log else head + 1
        first, last = _asked(body, kept.epoch, head)
        found = [m for m in log if first <= m.seq <= last][:MAX_FETCH]
        frames = [(m.seq, numbered(m.push, kept.epoch, m.seq)) for m in found]
        return FetchAnswer(kept.epoch, head, oldest, frames)

    def next_seqs(self, room: str) -> tuple[int, int, int]:
        """Return the numbers that the room's next messages will have."""
        urgent, normal, bulk = self._rooms[room].seqs if room in self._rooms else (0, 0, 0)
        return urgent + 1, normal + 1, bulk + 1

    def _ways(self, room: str) -> Ways:
        return self.rules[room].ways if room in self.rules else ORDINARY

    def _room(self, room: str) -> _Room:
        return self._rooms.setdefault(room, _Room(new_id(self._random_bits)))

    def _first(self, room: str, uid: str, mid: str, now_ms: int) -> Appended | None:
        first = self._seen.get((room, uid, mid))
        if first is None or now_ms - first.ts_ms >= self._retention.dedup_s * 1000:
            return None
        return first

    def _trim(self, log: deque[_Message], now_ms: int) -> None:
        too_old = self._too_old(now_ms)
        while log and (log[0].ts_ms < too_old or len(log) > self._retention.messages):
            log.popleft()

    def _too_old(self, now_ms: int) -> int:
        return now_ms - round(self._retention.age_s * 1000)


def _heads(kept: _Room) -> HeadsHeader:
    return HeadsHeader(kept.epoch, (kept.seqs[0], kept.seqs[1], kept.seqs[2]))


def _asked(body: FetchBody, epoch: str, head: int) -> tuple[int, int]:
    if body.newest > 0:
        return head - min(body.newest, MAX_FETCH) + 1, head
    if body.epoch != epoch:
        return 1, 0
    return body.first_seq, body.last_seq or head
