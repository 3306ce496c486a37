"""Sends clients away, each at its own moment: told to move, and closed where it does not."""

from collections.abc import Callable
from functools import partial

import structlog
import trio

from access.alarms import Alarms
from access.counters import AccessCounters
from access.moves.destinations import Destinations
from access.moves.directions import Reason
from access.moves.tickets import Tickets
from access.session import Session
from proto import server_frames
from proto.close_codes import CloseCode
from proto.priorities import Priority
from proto.server_frames import Move

log = structlog.get_logger()

LEAD_S = 1.0
"""A client is told so long before it goes, at most: what it is told is fresh then, and telling a
crowd is spread as its going is."""

Stands = Callable[[Session], Reason | None]
"""Says where a session has to go now."""


class Mover:
    """Paces departures. Two alarms for each client, and no task."""

    def __init__(
        self,
        alarms: Alarms,
        destinations: Destinations,
        tickets: Tickets,
        stands: Stands,
        counters: AccessCounters,
        *,
        random: Callable[[], float],
    ) -> None:
        self._alarms = alarms
        self._destinations = destinations
        self._tickets = tickets
        self._stands = stands
        self._counters = counters
        self._random = random

    def send_away(self, session: Session, reason: Reason, spread_s: float, grace_s: float) -> None:
        """Let `session` go for `reason` at a moment within `spread_s`, chosen at random; who stays
        `grace_s` longer is closed. Nothing happens if the reason no longer stands by then."""
        session.leaving = reason
        # The moment of going is drawn, not that of being told: so goings are spread evenly.
        goes_in_s = self._random() * spread_s
        delay_s = self._random() * min(LEAD_S, goes_in_s)
        told_at = trio.current_time() + goes_in_s - delay_s
        self._alarms.at(told_at, partial(self._tell, session, reason, delay_s, grace_s))

    def _tell(self, session: Session, reason: Reason, delay_s: float, grace_s: float) -> None:
        if not self._is_leaving(session, reason):
            return
        uid, deadline_s = session.who().sub, delay_s + grace_s
        endpoints = self._destinations.of(reason.pool, uid)
        if not endpoints:
            session.leaving = None  # asked again while the reason stands
            return
        ticket = self._tickets.issue(session, reason, deadline_s)
        delay_ms, deadline_ms = round(delay_s * 1000), round(deadline_s * 1000)
        command = Move(endpoints, ticket, delay_ms, deadline_ms, reason.room)
        message = server_frames.message([server_frames.move(command)])
        session.connection.send(message, Priority.URGENT)
        self._counters.moves_told += 1
        close = partial(self._close, session, reason)
        self._alarms.at(trio.current_time() + deadline_s, close)

    def _close(self, session: Session, reason: Reason) -> None:
        if self._is_leaving(session, reason):
            self._counters.moves_overdue += 1
            log.debug("move_overdue", connection=session.connection.id, room=reason.room)
            session.connection.close(CloseCode.MOVED, "told to move; resume elsewhere")

    def _is_leaving(self, session: Session, reason: Reason) -> bool:
        """Say whether `reason` is still why the session leaves; forget it where it is no more."""
        if session.gone or session.leaving is not reason:
            return False
        if self._stands(session) == reason:
            return True
        session.leaving = None
        return False
