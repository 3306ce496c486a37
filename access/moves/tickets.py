"""Resume tokens: given to whom is told to move, taken from whom has moved here."""

import math
from collections.abc import Callable

import structlog
import trio

from access.counters import AccessCounters
from access.moves.directions import Reason
from access.session import Session
from backends.errors import StoreUnavailableError
from backends.one_use.interface import OneUse
from proto.client_requests import Hello
from proto.errors import RequestError
from proto.ids import RandomBits, new_id
from proto.resume_tokens import Resume, invalid_resume, mint_resume, verify_resume
from proto.token_keys import Keyring

log = structlog.get_logger()

SLACK_S = 10.0
"""Seconds beyond the deadline for which a token holds: clocks of nodes differ, and a client may try
several endpoints."""
USE_S = 2.0
"""Seconds that a hello waits for the store."""
TOKEN_BITS = 96


class Tickets:
    """Issues tokens and takes them, each once in the region."""

    def __init__(
        self,
        own: Keyring,
        pool: str,
        one_use: OneUse,
        counters: AccessCounters,
        *,
        now_s: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self._own = own
        self._pool = pool
        self._one_use = one_use
        self._counters = counters
        self._now_s = now_s
        self._random_bits = random_bits

    def issue(self, session: Session, reason: Reason, valid_s: float) -> str:
        """Return the token with which `session` moves. One that moves within its pool takes along
        the room that brought it there."""
        stays = reason.pool == self._pool and session.pinned in session.rooms
        room = reason.room or (session.pinned if stays else "")
        token_id = new_id(self._random_bits, TOKEN_BITS)
        exp = math.ceil(self._now_s() + valid_s + SLACK_S)
        resume = Resume(session.who().sub, room, reason.pool, token_id, exp)
        return mint_resume(resume, self._own)

    def read(self, hello: Hello, token: str, uid: str) -> Resume:
        """Return what `token` says, if it is for `uid`, for this node's pool and for a room that
        `hello` joins; else raises `RequestError` `token_invalid`, field `resume`."""
        try:
            resume = verify_resume(token, self._own, self._now_s())
            if resume.sub != uid:
                raise invalid_resume("it is another user's")
            if resume.pool != self._pool:
                raise invalid_resume("it is for other nodes")
            if resume.room and all(spec.room != resume.room for spec in hello.join):
                raise invalid_resume(f"join must name {resume.room}")
        except RequestError:
            self._counters.resumes_refused += 1
            raise
        return resume

    async def use(self, resume: Resume) -> None:
        """Use the token up; raises as `read` does where that was done before, or can't be told."""
        used = False
        with trio.move_on_after(USE_S):
            try:
                # Longer than it holds by this clock: another node's may be slow.
                ttl_s = max(0.0, resume.exp - self._now_s()) + SLACK_S
                used = await self._one_use.use(resume.jti, ttl_s)
            except StoreUnavailableError as error:
                log.info("resume_not_checked", error=str(error))
        if not used:
            self._counters.resumes_refused += 1
            raise invalid_resume("it was used already, or the store can't say")
        self._counters.resumes_accepted += 1
