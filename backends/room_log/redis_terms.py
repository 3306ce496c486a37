"""What the script that appends a message looks at and changes where there are terms."""

from backends.moderation.redis import ends_key, entries_key, spoke_key, write_entry
from backends.room_log.interface import Terms
from proto.moderation import MAX_ENTRIES


def terms_keys(room: str, uid: str, terms: Terms | None) -> list[str]:
    """Return the keys beyond those of the log, in the order of the script."""
    if terms is None:
        return []
    keys = [entries_key(room), ends_key(room), spoke_key(room, uid)]
    if terms.payment is not None:
        keys.append(f"rm:{{{room}}}:receipt:{terms.payment.receipt}")
    return keys


def terms_arguments(uid: str, mid: str, terms: Terms | None) -> list[str | int]:
    """Return the arguments beyond those of the log, in the order of the script."""
    if terms is None:
        return []
    ttl_ms = terms.payment.ttl_ms if terms.payment is not None else 0
    found: list[str | int] = [uid, terms.rank, int(terms.slow), mid, ttl_ms]
    if terms.change is None:
        return found
    entry = terms.change.entry
    text, ends_ms = ("", 0) if entry is None else (write_entry(entry), entry.until_ms)
    return [*found, MAX_ENTRIES, terms.change.field, text, ends_ms, terms.change.rank]
