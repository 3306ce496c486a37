"""Whether to notify, and whom. Pure."""

from typing import NamedTuple

from logic.notify.facts import Facts
from logic.notify.rows import Token
from logic.presence.presence import Online, State

UNKNOWN_MS = 5000
"""A user whose presence is unknown is looked at again after so long."""


class Cancel(NamedTuple):
    """Nobody is to be notified any more; why, in a word."""

    reason: str


class Wait(NamedTuple):
    """Not now: look again at `due_ms`; why, in a word."""

    due_ms: int
    reason: str


class Tell(NamedTuple):
    """Notify these devices now; `quiet`: without showing anything."""

    tokens: tuple[Token, ...]
    quiet: bool


def decide(facts: Facts, online: Online, now_ms: int, unacked_ms: int) -> Cancel | Wait | Tell:
    """Return what to do about a row.

    The first that applies: it was read, or every device has it; presence is unknown; a device that
    lacks it is connected, and has not been silent for long enough; or who lacks it is told.
    """
    reason = _settled(facts)
    if reason:
        return Cancel(reason)
    if online.state is State.UNKNOWN:
        return Wait(now_ms + UNKNOWN_MS, "presence_unknown")
    lacking = tuple(token for token, has in facts.devices if not has)
    silent_at = facts.ts_ms + unacked_ms
    # A message of the future: the clock was wrong, and says nothing about how long it was.
    waits = facts.ts_ms <= now_ms < silent_at
    if waits and any(token.device in online.devices for token in lacking):
        return Wait(silent_at, "ack_awaited")
    return Tell(lacking, facts.muted and not facts.row.mentioned)


def _settled(facts: Facts) -> str:
    if not facts.ts_ms:
        return "no_message"
    if facts.read_seq >= facts.row.seq:
        return "read"
    if not facts.devices:
        return "no_device"
    return "acknowledged" if all(has for _, has in facts.devices) else ""
