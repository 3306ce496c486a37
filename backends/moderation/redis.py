"""How rooms are moderated, in Redis: a hash of entries, and which of them ends when.

An entry is a text, `UNTIL_MS RANK INTERVAL_MS ROLE BY REASON` (`-` for no role), since the script
that appends a message reads its first three words. Both keys live as long as the entry that ends
last.
"""

from collections.abc import Callable, Sequence

from backends.moderation.interface import STAFF_S, field_of
from backends.redis.client import RedisClient
from backends.redis.scripts import Command
from proto.moderation import StateEntry
from proto.roles import RANKS, rank

_NO_ROLE = "-"
_ROLE_OF_RANK = {rank: role for role, rank in RANKS.items()}


class RedisModeration:
    """Implements `Moderation`. All keys of a room share the hash tag `{room}`."""

    def __init__(self, redis: RedisClient, *, now_ms: Callable[[], int]) -> None:
        self._redis = redis
        self._now_ms = now_ms

    async def entries(self, room: str) -> list[StateEntry]:
        """See `Moderation`."""
        flat = await self._redis.call(room, ("HGETALL", entries_key(room)))
        pairs = sorted(zip(flat[::2], flat[1::2], strict=True))
        found = [read_entry(field.decode(), text) for field, text in pairs]
        return [entry for entry in found if self._holds(entry)]

    async def roles(self, room: str, uids: list[str]) -> list[str]:
        """See `Moderation`."""
        fields = [field_of("role", uid) for uid in uids]
        texts = await self._redis.call(room, ("HMGET", entries_key(room), *fields))
        found = zip(fields, texts, strict=True)
        entries = [read_entry(field, text) if text else None for field, text in found]
        return [entry.role if entry and self._holds(entry) else "" for entry in entries]

    async def note_staff(self, room: str, staff: Sequence[tuple[str, str]]) -> None:
        """See `Moderation`."""
        px = round(STAFF_S * 1000)
        commands: list[Command] = [
            ("SET", _staff_key(room, uid), role, "PX", px) for uid, role in staff
        ]
        await self._redis.call_many(room, commands)

    async def staff_role(self, room: str, uid: str) -> str:
        """See `Moderation`."""
        role = await self._redis.call(room, ("GET", _staff_key(room, uid)))
        return role.decode() if role else ""

    def _holds(self, entry: StateEntry) -> bool:
        return not 0 < entry.until_ms <= self._now_ms()


def entries_key(room: str) -> str:
    """Return the hash of a room's entries."""
    return f"rm:{{{room}}}:moderation"


def ends_key(room: str) -> str:
    """Return the sorted set of the entries that end, by when."""
    return f"rm:{{{room}}}:moderation:ends"


def spoke_key(room: str, uid: str) -> str:
    """Return the key that is there while `uid` has to wait in slow mode."""
    return f"rm:{{{room}}}:spoke:{uid}"


def _staff_key(room: str, uid: str) -> str:
    return f"rm:{{{room}}}:staff:{uid}"


def write_entry(entry: StateEntry) -> str:
    """Return the text of `entry`; its kind and uid are its field's."""
    role = entry.role or _NO_ROLE
    made = (entry.until_ms, rank(entry.by_role), entry.interval_ms, role, entry.by, entry.reason)
    return " ".join(map(str, made))


def read_entry(field: str, text: bytes) -> StateEntry:
    """Return the entry in `field`."""
    kind, _, uid = field.partition(":")
    until, by_rank, interval, role, by, reason = text.decode().split(" ", 5)
    return StateEntry(
        kind=kind,
        by=by,
        by_role=_ROLE_OF_RANK[int(by_rank)],
        uid=uid,
        until_ms=int(until),
        interval_ms=int(interval),
        role="" if role == _NO_ROLE else role,
        reason=reason,
    )
