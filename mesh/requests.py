"""Requests that wait for an answer: their numbers, deadlines, and whether they may be repeated.

Pure bookkeeping: takes events (an answer, a relay that went down, the time) and settles requests.
Whoever sends waits for `Attempt.settled` and then asks the attempt for its outcome.
"""

from collections.abc import Iterable

import trio

from mesh.shares import share
from proto.errors import ErrorCode, RequestError
from proto.headers import ReplyHeader
from proto.priorities import Priority

FULL_RETRY_MS = 500
DOWN_RETRY_MS = 1000

_ELSEWHERE = frozenset((ErrorCode.UNAVAILABLE, ErrorCode.HOME_UNREACHABLE, ErrorCode.TIMEOUT))
"""What a relay answers, or fails to, where another may still reach an instance."""


class Attempt:
    """One sending of a request over one relay."""

    def __init__(self, number: int, relay: str) -> None:
        self.number = number
        self.relay = relay
        self.settled = trio.Event()
        self.body: bytes = b""
        self.error: RequestError | None = None

    def answer(self, body: bytes) -> None:
        """Settle with the answer's body."""
        self.body = body
        self.settled.set()

    def fail(self, error: RequestError) -> None:
        """Settle with an error."""
        self.error = error
        self.settled.set()


class RequestBook:
    """All attempts of a node that have no answer yet."""

    def __init__(self, incarnation: str, limit: int) -> None:
        self._incarnation = incarnation
        self.limit = limit
        """Attempts that may be open at once."""
        self._number = 0
        self._open: dict[int, Attempt] = {}
        self.unmatched = 0
        """Answers to nothing: late ones, doubles, or meant for an earlier incarnation."""
        self.refused = 0
        """Requests beyond the bound."""

    def __len__(self) -> int:
        """How many are without an answer."""
        return len(self._open)

    def under_way(self, relay: str) -> bool:
        """Say whether something that was asked by `relay` has no answer yet."""
        return any(attempt.relay == relay for attempt in self._open.values())

    def open(self, relay: str, priority: Priority) -> Attempt:
        """Begin an attempt over `relay`; raises `RequestError` `overloaded` beyond the bound."""
        if len(self._open) >= share(self.limit, priority):
            self.refused += 1
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=FULL_RETRY_MS)
        self._number += 1
        attempt = Attempt(self._number, relay)
        self._open[attempt.number] = attempt
        return attempt

    def close(self, attempt: Attempt) -> None:
        """Forget an attempt that is settled, timed out or given up."""
        self._open.pop(attempt.number, None)

    def reply(self, header: ReplyHeader, body: bytes) -> None:
        """Settle the attempt that `header` answers."""
        mine = header.incarnation == self._incarnation
        attempt = self._open.pop(header.request, None) if mine else None
        if attempt is None:
            self.unmatched += 1
        elif header.error is None:
            attempt.answer(body)
        else:
            attempt.fail(RequestError.from_body(header.error))

    def relay_down(self, relay: str) -> None:
        """Fail what was sent over `relay`: its answers have no way back."""
        for attempt in [a for a in self._open.values() if a.relay == relay]:
            self.close(attempt)
            attempt.fail(unavailable("the relay that carried the request went down"))


def unavailable(message: str) -> RequestError:
    """Return the error for a part of the mesh that is away."""
    return RequestError(ErrorCode.UNAVAILABLE, message, retry_after_ms=DOWN_RETRY_MS)


def worth_repeating(error: RequestError) -> bool:
    """Say whether another relay may do better: not where logic itself said no, or has no room."""
    return error.body.code in _ELSEWHERE


def another(up: Iterable[str], tried: str) -> str | None:
    """Return the first relay in `up` that has not been tried."""
    return next((relay for relay in up if relay != tried), None)
