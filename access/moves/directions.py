"""Who has to go where, by the rules of the rooms that somebody is in. Pure."""

from collections.abc import Callable, Container
from typing import NamedTuple, Protocol

from access.moves.rules import Rules
from proto.heat import HeatState

_IN = (HeatState.MOVING, HeatState.HOT)
_BACK = (HeatState.COOLING, HeatState.NORMAL)


class Reason(NamedTuple):
    """Because of `room` ("": this node drains) to the nodes of `pool` ("": ordinary ones)."""

    room: str
    pool: str


class Placed(Protocol):
    """What a session has of its place. `pinned` is the room that it was moved here for, or ""."""

    @property
    def rooms(self) -> Container[str]:
        """The rooms that it is in."""

    @property
    def pinned(self) -> str:
        """See the class."""


class Directions:
    """Reads the rules for the node of `pool`. Rules of rooms that are not `at_home` in this region
    move nobody: their pools are elsewhere."""

    def __init__(self, rules: Rules, pool: str, at_home: Callable[[str], bool]) -> None:
        self._rules = rules
        self._pool = pool
        self._at_home = at_home

    def leads_away(self, room: str, now: float) -> str | None:
        """Return the pool where members of `room` belong, `None` where they may stay."""
        rule = self._rules.fresh(room, now)
        if rule is None or not self._at_home(room):
            return None
        if rule.state in _IN:
            return rule.pool if rule.pool != self._pool else None
        return "" if self._pool and rule.state in _BACK else None

    def of(self, session: Placed, now: float) -> Reason | None:
        """Return where `session` has to go, `None` for nowhere.

        While it is in the room that it was moved here for, the rules of its other rooms don't
        count. Who was not moved here stays while any of its rooms belongs here.
        """
        rooms, pinned = session.rooms, session.pinned
        ruled = [room for room in self._rules.rooms() if room in rooms]
        asked = [pinned] if pinned and pinned in rooms else ruled
        if any(self._belongs_here(room) for room in asked):
            return None
        reasons = [
            Reason(room, pool) for room in asked if (pool := self.leads_away(room, now)) is not None
        ]
        # A pool before the way back; and every node decides alike about a room of each.
        return min(reasons, key=lambda reason: (not reason.pool, reason.room), default=None)

    def _belongs_here(self, room: str) -> bool:
        rule = self._rules.get(room)
        return rule is not None and rule.state in _IN and rule.pool == self._pool
