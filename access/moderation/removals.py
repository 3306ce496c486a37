"""Sends members out of a room: the membership ends, the client is told why."""

from collections.abc import Callable

from access.catch_up import Seat
from access.counters import AccessCounters
from access.edge.interface import Connection
from access.room import Room
from access.session import Session
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
        as who did it, or the ban is over by now: it may come late, by a repair."""
        for seat in [seat for seat in room.seats.values() if seat.uid == push.uid]:
            if push.action is Action.BAN:
                self._if_banned(room, seat, push.reason)
            elif rank(room.standing.role(seat.uid, _own(room, seat))) < rank(push.by_role):
                self._remove(room, seat, "kicked", 0, push.reason)

    def by_standing(self, room: Room) -> None:
        """Remove all who are banned: the change that said so was lost."""
        for seat in list(room.seats.values()):
            self._if_banned(room, seat, "")

    def by_token(self, room: Room, connection: Connection) -> None:
        """Remove a member whose new token stands no longer above its ban."""
        if (seat := room.seats.get(connection.id)) is not None:
            self._if_banned(room, seat, "")

    def _if_banned(self, room: Room, seat: Seat, message: str) -> None:
        ban = room.standing.ban_of(seat.uid, _own(room, seat))
        if ban is not None:
            self._remove(room, seat, "banned", ban.until_ms, message)

    def _remove(self, room: Room, seat: Seat, reason: str, until_ms: int, message: str) -> None:
        connection = seat.connection
        connection.state.rooms.pop(room.name, None)
        self._left(room, connection)
        self._counters.removed[reason] += 1
        told = server_frames.removed(room.name, reason, until_ms, message)
        connection.send(server_frames.message([told]), Priority.URGENT)


def _own(room: Room, seat: Seat) -> str:
    """Return the role that the member's token gives it."""
    session: Session = seat.connection.state
    return session.who().role_in(room.name)
