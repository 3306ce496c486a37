"""Rooms that are often hot: tagged by themselves, until they no longer are."""

from dataclasses import replace

from backends.heat.interface import Tag

OFTEN = 3
WITHIN_MS = 30 * 86_400_000
BY_HISTORY = "history"
BY_OPERATOR = "operator"


def tagged(tag: Tag | None) -> Tag:
    """Return the tag of a room that an operator has just tagged."""
    return replace(tag or Tag(), by=BY_OPERATOR)


def became_hot(tag: Tag | None, now_ms: int) -> Tag:
    """Return the tag of a room that has just become hot once more."""
    tag = tag or Tag()
    # A set: the store may ask twice when an answer is lost.
    hot_at_ms = tuple(sorted({*_recent(tag, now_ms), now_ms}))[-OFTEN:]
    often = len(hot_at_ms) >= OFTEN
    return replace(tag, hot_at_ms=hot_at_ms, by=tag.by or (BY_HISTORY if often else ""))


def faded(tag: Tag | None, now_ms: int) -> Tag | None:
    """Return what is left of a tag by now; `None` for nothing. An operator's stays."""
    if tag is None:
        return None
    recent = _recent(tag, now_ms)
    if tag.by == BY_OPERATOR:
        return replace(tag, hot_at_ms=recent)
    by = BY_HISTORY if tag.by and len(recent) >= OFTEN else ""
    return replace(tag, hot_at_ms=recent, by=by) if recent else None


def _recent(tag: Tag, now_ms: int) -> tuple[int, ...]:
    # What lies ahead is of a clock that was wrong; it is not taken for news for ever.
    return tuple(at for at in tag.hot_at_ms if abs(now_ms - at) < WITHIN_MS)
