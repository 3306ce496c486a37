"""Requests on their way: matched by id, repeated until answered, given up in time. No I/O."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from relaymesh_client.backoff import Backoff
from relaymesh_client.catalogue import NOT_DONE, is_slow_mode, may_retry
from relaymesh_client.errors import OutboxFull, Refused, RelaymeshError, Unanswered, refused
from relaymesh_client.events import Frame

ATTEMPT_S = 5.0
"""Seconds after which a request that may be repeated is sent again on a live connection."""
RETRY_S = 0.5
"""Seconds before a repeat where the server names none."""


class Answer(NamedTuple):
    """How request `id` ended: with the server's `ok`, or with an error."""

    id: int
    ok: Frame
    error: RelaymeshError | None = None


@dataclass(slots=True)
class _Request:
    frame: Frame
    text: str
    room: str
    repeat: bool
    give_up_at: float
    attempt_at: float
    backoff: Backoff | None
    sent: bool = False
    """On the present connection."""

    def pause_s(self) -> float:
        """Return the seconds that the next repeat waits longer than it must."""
        return self.backoff.next_s() if self.backoff is not None else 0.0


class Outbox:
    """Requests that have no answer yet, in the order they were made.

    `limit` bounds what the application may have open; the client's own few come on top.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._requests: dict[int, _Request] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._requests)

    def new_id(self) -> int:
        """Return an id that no other request of this client has."""
        self._last_id += 1
        return self._last_id

    def admit(self) -> None:
        """Raise `OutboxFull` when as many requests as allowed wait already."""
        if len(self._requests) >= self._limit:
            raise OutboxFull(f"{len(self._requests)} requests wait for their answers")

    def add(
        self,
        op: str,
        fields: Frame,
        *,
        now: float,
        give_up_s: float,
        room: str = "",
        repeat: bool = True,
        wait_s: float = 0.0,
        backoff: Backoff | None = None,
    ) -> int:
        """Add a request and return its id. `repeat`: it may be sent again without harm.

        `room` is the room that must be joined first, if it is one that the client wants. It is
        not sent before `wait_s` is over; `backoff` lets the repeats come later each time.
        """
        number = self.new_id()
        frame = {"op": op, "id": number, **fields}
        self._requests[number] = _Request(
            frame,
            encode(frame),
            room,
            repeat,
            give_up_at=now + give_up_s,
            attempt_at=now + wait_s,
            backoff=backoff,
        )
        return number

    def due(self, now: float, may_send: Callable[[str], bool]) -> list[str]:
        """Return the messages to send now, of rooms (or no room) that `may_send` agrees with."""
        messages = []
        for request in self._requests.values():
            if request.attempt_at <= now and may_send(request.room):
                messages.append(request.text)
                request.sent = True
                wait_s = ATTEMPT_S + request.pause_s()
                request.attempt_at = now + wait_s if request.repeat else request.give_up_at
        return messages

    def answered(self, reply: Frame, now: float) -> Answer | None:
        """Take a reply; returns the answer unless the request will be repeated (or is unknown)."""
        request = self._requests.get(_id_of(reply))
        if request is None:
            return None
        error = reply.get("error")
        if error is None:
            return self._end(request, dict(reply.get("ok") or {}))
        problem = refused(error)
        if self._will_repeat(request, problem, now):
            return None
        return self._end(request, {}, problem)

    def drop(self, number: int) -> None:
        """Forget request `number`: nobody waits for it any more."""
        self._requests.pop(number, None)

    def end(self, problem: RelaymeshError) -> list[Answer]:
        """End every request with `problem`."""
        return [self._end(each, {}, problem) for each in list(self._requests.values())]

    def disconnected(self, now: float) -> list[Answer]:
        """Make ready for the next connection; what was sent and may not be repeated ends here."""
        ended = []
        for request in list(self._requests.values()):
            if request.sent and not request.repeat:
                problem = Unanswered("the connection ended before the answer")
                ended.append(self._end(request, {}, problem))
            elif request.sent:
                request.sent, request.attempt_at = False, now
        return ended

    def expired(self, now: float) -> list[Answer]:
        """End the requests whose time is up."""
        late = [each for each in self._requests.values() if each.give_up_at <= now]
        return [self._end(each, {}, Unanswered("no answer in time")) for each in late]

    def next_due(self, may_send: Callable[[str], bool] | None) -> float | None:
        """Return when `due` (with a `may_send`, so while connected) or `expired` has work."""
        times = [each.give_up_at for each in self._requests.values()]
        if may_send is not None:
            ready = (each for each in self._requests.values() if may_send(each.room))
            times += [each.attempt_at for each in ready]
        return min(times, default=None)

    def _will_repeat(self, request: _Request, problem: Refused, now: float) -> bool:
        harmless = request.repeat or problem.code in NOT_DONE
        wait_s = problem.retry_after_ms / 1000 or RETRY_S
        if is_slow_mode(problem.code, problem.field):
            return False  # for a person to know: it may take minutes
        if not (may_retry(problem.code) and harmless and now + wait_s < request.give_up_at):
            return False
        request.attempt_at = now + max(wait_s, request.pause_s())
        request.sent = False
        return True

    def _end(self, request: _Request, ok: Frame, error: RelaymeshError | None = None) -> Answer:
        number: int = request.frame["id"]
        del self._requests[number]
        return Answer(number, ok, error)


def encode(frame: Frame) -> str:
    """Return `frame` as JSON, without spaces, every character as itself."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def _id_of(reply: Frame) -> int:
    number = reply.get("reply")
    return number if isinstance(number, int) else -1
