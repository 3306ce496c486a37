"""What may be asked for: the keys of a node's interest."""

from proto.envelopes import MAX_KEY_BYTES
from proto.heat import pool_and_room
from proto.ids import is_room

MAX_POOL_CHARACTERS = 64


def flaw(key: str) -> str | None:
    """Return why `key` can be no interest, or `None`. Pure."""
    if not 0 < len(key.encode()) <= MAX_KEY_BYTES:
        return f"a key has 1 to {MAX_KEY_BYTES} bytes, got {len(key.encode())}"
    hot = pool_and_room(key)
    if hot is None:
        return None
    pool, room = hot
    if not 0 < len(pool) <= MAX_POOL_CHARACTERS:
        return f"a pool's name has 1 to {MAX_POOL_CHARACTERS} characters, got {len(pool)}"
    return None if is_room(room) else f"{room[:80]!r} is no room's name"
