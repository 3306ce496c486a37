"""How rooms are moderated, in memory, for tests of a whole cluster in one process."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from backends.moderation.interface import STAFF_S, Change, field_of
from proto.moderation import MAX_ENTRIES, StateEntry
from proto.roles import rank


class MemoryModeration:
    """Implements `Moderation`; `MemoryRoomLog` changes it and asks what holds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._staff: dict[tuple[str, str], tuple[str, int]] = {}
        self._rooms: dict[str, dict[str, StateEntry]] = defaultdict(dict)

    async def entries(self, room: str) -> list[StateEntry]:
        """See `Moderation`."""
        self._forget(room)
        return [entry for _, entry in sorted(self._rooms[room].items())]

    async def roles(self, room: str, uids: list[str]) -> list[str]:
        """See `Moderation`."""
        found = [self._get(room, field_of("role", uid)) for uid in uids]
        return [entry.role if entry is not None else "" for entry in found]

    async def note_staff(self, room: str, staff: Sequence[tuple[str, str]]) -> None:
        """See `Moderation`."""
        until_ms = self._now_ms() + round(STAFF_S * 1000)
        self._staff |= {(room, uid): (role, until_ms) for uid, role in staff}

    async def staff_role(self, room: str, uid: str) -> str:
        """See `Moderation`."""
        role, until_ms = self._staff.get((room, uid), ("", 0))
        return role if until_ms > self._now_ms() else ""

    def bound_until(self, kind: str, room: str, uid: str, sender_rank: int) -> int | None:
        """Return until when a `kind` (`ban`, `mute`) of `uid`, of that rank, holds (0: for good);
        `None`: it does not."""
        entry = self._get(room, field_of(kind, uid))
        return entry.until_ms if entry is not None and sender_rank < rank(entry.by_role) else None

    def slow_ms(self, room: str) -> int:
        """Return the interval of the room's slow mode, 0 where it has none."""
        entry = self._get(room, field_of("slow", ""))
        return entry.interval_ms if entry is not None else 0

    def rank_of(self, room: str, change: Change) -> int:
        """Return the rank of who made what `change` is about, 0 where nothing holds."""
        entry = self._get(room, change.field)
        return rank(entry.by_role) if entry is not None else 0

    def has_place(self, room: str, change: Change) -> bool:
        """Say whether there is a place for the change."""
        self._forget(room)
        kept = self._rooms[room]
        return change.entry is None or change.field in kept or len(kept) < MAX_ENTRIES

    def change(self, room: str, change: Change) -> None:
        """Do it."""
        if change.entry is None:
            self._rooms[room].pop(change.field, None)
        else:
            self._rooms[room][change.field] = change.entry

    def _get(self, room: str, field: str) -> StateEntry | None:
        self._forget(room)
        return self._rooms[room].get(field)

    def _forget(self, room: str) -> None:
        now_ms = self._now_ms()
        kept = self._rooms[room].items()
        self._rooms[room] = {f: e for f, e in kept if not 0 < e.until_ms <= now_ms}
