"""Looks again and again who has to leave this node, and lets each go in its time."""

from collections.abc import Callable, Iterable, Iterator

import trio

from access.moves.destinations import Destinations
from access.moves.directions import Directions, Reason
from access.moves.mover import Mover
from access.moves.room_rules import RoomRules
from access.moves.rules import Rules
from access.room import Room
from access.session import Session

LOOK_S = 0.5
"""Who joins a hot room on the wrong node is found so much later at most."""
SOON_S = 2.0
"""Seconds over which those are spread who come one by one, when the crowd has left."""
FEW = 50
"""More than these, found at one look, are a crowd, whatever brought it here: it takes the whole
time of the rule."""


class Moves:
    """Moves members by the rules of their rooms."""

    def __init__(
        self,
        room_of: Callable[[str], Room | None],
        rules: Rules,
        room_rules: RoomRules,
        directions: Directions,
        destinations: Destinations,
        mover: Mover,
        *,
        grace_s: float,
    ) -> None:
        self._room_of = room_of
        self._rules = rules
        self._room_rules = room_rules
        self._directions = directions
        self._destinations = destinations
        self._mover = mover
        self.grace_s = grace_s
        self.leaving: dict[str, int] = {}
        """Members that still have to go, by room: of each room whose rule leads away from here."""

    async def run(self) -> None:
        """Look, for ever: when a rule has changed, and each `LOOK_S` while there are any."""
        while True:
            changed = self._room_rules.changed
            await self.look()
            with trio.move_on_after(LOOK_S if len(self._rules) else float("inf")):
                await changed.wait()

    async def look(self) -> None:
        """Find who has to leave, and let them."""
        found = dict(self._found())
        self.leaving = {reason.room: len(sessions) for reason, sessions in found.items()}
        await self._ask_for({reason.pool for reason, sessions in found.items() if sessions})
        for reason, sessions in found.items():
            if self._destinations.any(reason.pool):
                self._send_away(reason, sessions)

    async def _ask_for(self, pools: Iterable[str]) -> None:
        async with trio.open_nursery() as nursery:
            for pool in pools:
                nursery.start_soon(self._destinations.refresh, pool)

    def _found(self) -> Iterator[tuple[Reason, list[Session]]]:
        now = trio.current_time()
        for name in self._rules.rooms():
            room, pool = self._room_of(name), self._directions.leads_away(name, now)
            if room is None or pool is None:
                continue
            reason = Reason(name, pool)
            sessions = [seat.connection.state for seat in room.seats.values()]
            yield reason, [each for each in sessions if self._directions.of(each, now) == reason]

    def _send_away(self, reason: Reason, sessions: list[Session]) -> None:
        new = [each for each in sessions if each.leaving != reason and not _drains(each)]
        if not new:
            return
        spread_s = self._spread_s(reason.room, len(new))
        for session in new:
            self._mover.send_away(session, reason, spread_s, self.grace_s)

    def _spread_s(self, room: str, count: int) -> float:
        whole_s = self._rules.spread_s(room)
        least_s = whole_s if count > FEW else min(whole_s, SOON_S)
        return max(self._rules.spread_left_s(room, trio.current_time()), least_s)


def _drains(session: Session) -> bool:
    """Say whether it leaves for no room, but because its node ends: that needs no second reason."""
    return session.leaving is not None and not session.leaving.room
