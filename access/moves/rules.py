"""What this node knows of hot rooms: the newest rule of each, and whether it still holds. Pure."""

from dataclasses import dataclass

from proto.heat import HeatState, Rule

FRESH_S = 5.0
"""Rules are repeated each second: one that was not for so long moves nobody any more. Who made it
may be gone, and what holds now is not known."""

_SPREADING = (HeatState.MOVING, HeatState.COOLING)
"""States that begin with all members on the wrong nodes."""


@dataclass(slots=True)
class _Known:
    rule: Rule
    heard_s: float
    spread_until_s: float


class Rules:
    """The newest rule of each room. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self.refused = 0
        """Rules older than one that was known."""

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, rule: Rule, now: float) -> bool:
        """Take in a rule as it was told; returns whether it is newer than all before it."""
        known = self._known.get(rule.room)
        if known is not None and rule.fence <= known.rule.fence:
            repeated = rule.fence == known.rule.fence
            known.heard_s = now if repeated else known.heard_s
            self.refused += not repeated
            return False
        spread_s = rule.spread_ms / 1000 if rule.state in _SPREADING else 0.0
        self._known[rule.room] = _Known(rule, now, now + spread_s)
        return True

    def forget(self, room: str) -> None:
        """Forget a room that nobody here is in."""
        self._known.pop(room, None)

    def rooms(self) -> list[str]:
        """Return the rooms with a rule."""
        return list(self._known)

    def get(self, room: str) -> Rule | None:
        """Return the newest rule of `room`, however long ago it was told."""
        known = self._known.get(room)
        return known.rule if known is not None else None

    def fresh(self, room: str, now: float) -> Rule | None:
        """Return the rule of `room` that holds now."""
        known = self._known.get(room)
        if known is None or now - known.heard_s > FRESH_S:
            return None
        return known.rule

    def spread_s(self, room: str) -> float:
        """Return the time over which the rule of `room` wants a crowd spread."""
        known = self._known.get(room)
        return known.rule.spread_ms / 1000 if known is not None else 0.0

    def spread_left_s(self, room: str, now: float) -> float:
        """Return what is left of the time over which the members of `room` are spread."""
        known = self._known.get(room)
        return max(0.0, known.spread_until_s - now) if known is not None else 0.0
