"""What a moderator's request makes of a room's state, and what everybody is told. No I/O."""

from dataclasses import dataclass

from backends.moderation.interface import Change
from proto.moderation import Action, Moderate, ModerationPush, StateEntry
from proto.roles import rank

KINDS = {
    Action.MUTE: "mute",
    Action.UNMUTE: "mute",
    Action.BAN: "ban",
    Action.UNBAN: "ban",
    Action.SLOW: "slow",
    Action.UNSLOW: "slow",
    Action.GRANT: "role",
    Action.REVOKE_ROLE: "role",
}
"""The entry that an action makes or takes away; a kick leaves none."""
MAKING = frozenset({Action.MUTE, Action.BAN, Action.SLOW, Action.GRANT})


@dataclass(frozen=True, slots=True)
class Moderator:
    """Who asks, and the role that counts: the token's, or the one given in the room."""

    uid: str
    name: str
    role: str


def until_ms(asked: Moderate, now_ms: int) -> int:
    """Return when what is asked for ends, 0 for never."""
    return now_ms + asked.for_s * 1000 if asked.for_s else 0


def change_of(asked: Moderate, by: Moderator, now_ms: int) -> Change | None:
    """Return what changes in the room's state; `None` for a kick."""
    if asked.action not in KINDS:
        return None
    kind, uid = KINDS[asked.action], asked.uid or ""
    if asked.action not in MAKING:
        return Change(kind, uid, None, rank(by.role))
    entry = StateEntry(
        kind=kind,
        by=by.uid,
        by_role=by.role,
        uid=uid,
        until_ms=until_ms(asked, now_ms),
        interval_ms=(asked.interval_s or 0) * 1000,
        role=asked.role or "",
        reason=asked.reason,
    )
    return Change(kind, uid, entry, rank(by.role))


def push_of(asked: Moderate, by: Moderator, mid: str, now_ms: int, trace: str) -> ModerationPush:
    """Return the fields of the push that tells the room."""
    return ModerationPush(
        action=asked.action,
        uid=asked.uid or "",
        by=by.uid,
        name=by.name,
        by_role=by.role,
        until_ms=until_ms(asked, now_ms),
        interval_ms=(asked.interval_s or 0) * 1000,
        role=asked.role or "",
        reason=asked.reason,
        mid=mid,
        ts=now_ms,
        trace=trace,
    )
