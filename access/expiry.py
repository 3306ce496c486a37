"""Ends connections whose token has ended, and warns them before."""

import heapq
from collections.abc import Callable
from itertools import count
from math import inf
from typing import NoReturn

import structlog
import trio

from access.counters import AccessCounters
from access.session import Session
from access.users import Users
from proto.close_codes import CloseCode
from proto.priorities import Priority
from proto.server_frames import expiring, message
from proto.tokens import Claims

log = structlog.get_logger()

LOOK_S = 1.0
"""Between two looks at who is due: `exp` is in whole seconds."""
LAP_S = 30.0
"""In which all sessions are looked through once, for tokens that end within the next two laps."""
AT_ONCE = 128
"""Sessions looked at, warned or closed in one turn of the loop."""


class Expiry:
    """Tokens mostly last for longer than their connections, so nothing is noted of one until it
    nears its end: laps find those. A session is noted once, for the next time that it is due, and
    looked at anew then, so that a client that shows one token after the other leaves no more behind
    than one that shows none: an entry that an earlier one has overtaken is dropped when it is due.

    `exp` is a time of the wall, and so are all times here: a clock that is set matters at the next
    look.
    """

    def __init__(
        self,
        users: Users,
        counters: AccessCounters,
        *,
        warning_s: float,
        now_s: Callable[[], float],
    ) -> None:
        self.warning_s = warning_s
        self._users = users
        self._counters = counters
        self._now_s = now_s
        self._due: list[tuple[float, int, Session]] = []
        self._tie = count()

    def __len__(self) -> int:
        return len(self._due)

    def watch(self, session: Session) -> None:
        """Look at a session whose claims are new, or once a lap."""
        claims = session.claims
        if claims is None:
            return
        due_s = self._due_s(session, claims)
        if due_s - self._now_s() <= 2 * LAP_S:
            self._note(session, due_s)

    async def run(self) -> NoReturn:
        """Warn and close, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_laps)
            while True:
                await trio.sleep(LOOK_S)
                await self._act_on_due()

    async def _run_laps(self) -> NoReturn:
        while True:
            await trio.sleep(LAP_S)
            uids = self._users.uids()
            for start in range(0, len(uids), AT_ONCE):
                for uid in uids[start : start + AT_ONCE]:
                    for connection in self._users.connections(uid):
                        self.watch(connection.state)
                await trio.lowlevel.checkpoint()

    async def _act_on_due(self) -> None:
        now_s, acted = self._now_s(), 0
        while self._due and self._due[0][0] <= now_s:
            due_s, _, session = heapq.heappop(self._due)
            if not session.gone and due_s == session.expiry_due_s:
                self._act(session, now_s)
            acted += 1
            if acted % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _act(self, session: Session, now_s: float) -> None:
        claims = session.who()
        session.expiry_due_s = inf
        if claims.exp <= now_s:
            session.connection.close(CloseCode.TOKEN_EXPIRED, "the token has expired")
        elif self._due_s(session, claims) <= now_s:
            self._warn(session, claims)
        else:  # It has another token by now.
            self.watch(session)

    def _warn(self, session: Session, claims: Claims) -> None:
        push = expiring(claims.exp * 1000)
        session.connection.send(message([push]), Priority.URGENT)
        self._counters.tokens_expiring += 1
        session.warned_of_s = claims.exp
        self._note(session, claims.exp)

    def _due_s(self, session: Session, claims: Claims) -> float:
        return claims.exp - (0 if session.warned_of_s == claims.exp else self.warning_s)

    def _note(self, session: Session, due_s: float) -> None:
        if due_s < session.expiry_due_s:
            session.expiry_due_s = due_s
            heapq.heappush(self._due, (due_s, next(self._tie), session))
