"""Sends members out of a room: the membership ends, the client is told why."""

from collections.abc import Callable

from access.catch_up import Seat
from access.counters import AccessCounters
from access.edge.interface import Connection
from access.room import Room
from proto import server_frames
from proto.moderation import Action, ModerationPush
from proto.priorities import Priority
from proto.roles import rank

Left = Callable[[Room, Connection], None]


class Removals:
    """Removes members; `left` is told of each, as of one who leaves."""

    def __init__(self, left: Left, counters: AccessCounters) -> None:
        self._left = left
        self._counters = counters

    def by_push(self, room: Room, push: ModerationPush) -> None:
        """Remove who was banned or kicked, with each of its connections, unless it stands as high
        as who did it."""
        for seat in [seat for seat in room.seats.values() if seat.uid == push.uid]:
            if rank(self._role(room, seat)) < rank(push.by_role):
                reason = "banned" if push.action is Action.BAN else "kicked"
                self._remove(room, seat, reason, push.until_ms, push.reason)

    def by_standing(self, room: Room) -> None:
        """Remove all who are banned: the change that said so was lost."""
        for seat in list(room.seats.values()):
            ban = room.standing.ban_of(seat.uid, seat.connection.state.who().role_in(room.name))
            if ban is not None:
                self._remove(room, seat, "banned", ban.until_ms, "")

    def _role(self, room: Room, seat: Seat) -> str:
        return room.standing.role(seat.uid, seat.connection.state.who().role_in(room.name))

    def _remove(self, room: Room, seat: Seat, reason: str, until_ms: int, message: str) -> None:
        connection = seat.connection
        connection.state.rooms.pop(room.name, None)
        self._left(room, connection)
        self._counters.removed[reason] += 1
        told = server_frames.removed(room.name, reason, until_ms, message)
        connection.send(server_frames.message([told]), Priority.URGENT)
