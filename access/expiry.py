"""Ends connections whose token has ended, and warns them before."""

import heapq
from collections.abc import Callable
from itertools import count
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
    nears its end: laps find those. What is noted is bounded by the connections there are.

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
        self._due: list[tuple[float, int, Session, Claims]] = []
        self._tie = count()

    def __len__(self) -> int:
        return len(self._due)

    def watch(self, session: Session) -> None:
        """Look at a session whose claims are new, or once a lap."""
        claims = session.claims
        if claims is None or claims is session.expiring:
            return
        warn_at = claims.exp - self.warning_s
        if warn_at - self._now_s() <= 2 * LAP_S:
            session.expiring = claims
            self._put(warn_at, session, claims)

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
            _, _, session, claims = heapq.heappop(self._due)
            # A session that is gone, or has other claims by now, is none of this entry's.
            if not session.gone and session.claims is claims:
                self._act(session, claims, now_s)
            acted += 1
            if acted % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _act(self, session: Session, claims: Claims, now_s: float) -> None:
        if claims.exp <= now_s:
            session.connection.close(CloseCode.TOKEN_EXPIRED, "the token has expired")
            return
        push = expiring(claims.exp * 1000)
        session.connection.send(message([push]), Priority.URGENT)
        self._counters.tokens_expiring += 1
        self._put(claims.exp, session, claims)

    def _put(self, due_s: float, session: Session, claims: Claims) -> None:
        heapq.heappush(self._due, (due_s, next(self._tie), session, claims))
