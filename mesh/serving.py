"""Serving requests: for each priority a bounded number at work and a bounded number waiting.

No priority takes another's places, so an urgent request never waits for a flood of normal ones; and
of normal and bulk no more are at work than are done in good time, which leaves the machine to the
urgent ones. What comes beyond the bounds, or behind one that has waited for too long, is answered
`overloaded` at once; a request whose asker has given up by its turn is dropped and counted.
"""

from collections import deque
from typing import NamedTuple

import msgspec
import structlog
import trio

from mesh.concurrency import Concurrency
from mesh.interface import Mesh, RelayDownError, Serve
from proto.envelopes import BadEnvelopeError, Envelope, Kind, encode
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.headers import ReplyHeader, RequestHeader, decode_request, encode_header
from proto.priorities import Priority

log = structlog.get_logger()

OVERLOADED_RETRY_MS = 500
BROKEN_RETRY_MS = 1000


class Asked(NamedTuple):
    """A request that waits for its turn since `came`, until `deadline`, the asker's patience."""

    relay: str
    priority: Priority
    header: RequestHeader
    body: bytes
    came: float
    deadline: float


class Bounds(NamedTuple):
    """What each priority may take: `at_work` at once, `waiting` behind them and none of those for
    longer than `wait_s`; normal and bulk requests should take `target_s` at most."""

    at_work: int
    waiting: int
    wait_s: float = 0.25
    target_s: float = 0.025

    @property
    def targets_s(self) -> tuple[float, ...]:
        """By priority."""
        return (float("inf"), self.target_s, self.target_s)


class Turns:
    """Who is next: pure. Each priority has its own places, and its own queue in order."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._queues: tuple[deque[Asked], ...] = tuple(deque() for _ in Priority)
        self._work = [Concurrency(bounds.at_work, target_s) for target_s in bounds.targets_s]
        self.refused = 0
        self.expired = 0

    def reconfigured(self, bounds: Bounds) -> None:
        """Have other bounds from now on; who waits or is at work goes on."""
        self._bounds = bounds
        for work, target_s in zip(self._work, bounds.targets_s, strict=True):
            work.reconfigured(bounds.at_work, target_s)

    @property
    def at_work(self) -> int:
        """How many are at work."""
        return sum(work.under_way for work in self._work)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues))

    def come(self, asked: Asked) -> bool:
        """Let `asked` wait, or return false where too many wait, or one has for too long."""
        queue = self._queues[asked.priority]
        late = bool(queue) and asked.came - queue[0].came > self._bounds.wait_s
        if late or len(queue) >= self._bounds.waiting:
            self.refused += 1
            return False
        queue.append(asked)
        return True

    def next(self, now: float) -> Asked | None:
        """Return who starts now, the most urgent first, or `None` when nobody can."""
        for priority in Priority:
            if (asked := self._next_of(priority, now)) is not None:
                return asked
        return None

    def done(self, priority: Priority, began: float, now: float) -> None:
        """Give a place back that was taken at `began`."""
        self._work[priority].leave(began, now)

    def _next_of(self, priority: Priority, now: float) -> Asked | None:
        queue = self._queues[priority]
        while queue and queue[0].deadline < now:
            queue.popleft()
            self.expired += 1
        if not queue or not self._work[priority].free(now):
            return None
        self._work[priority].enter()
        return queue.popleft()


class Serving:
    """Answers the REQUEST envelopes that a node receives.

    >>> serving = Serving(mesh, serve, Bounds(at_work=64, waiting=1024))
    >>> await nursery.start(serving.run)
    >>> serving.receive(relay, envelope)  # from the mesh's `receive` callback
    """

    def __init__(self, mesh: Mesh, serve: Serve, bounds: Bounds) -> None:
        self._mesh = mesh
        self._serve = serve
        self.turns = Turns(bounds)
        self.answered = 0
        self.failed = 0
        """Answers that are errors."""
        self.broken = 0
        """Requests that ended in an unexpected exception."""
        self.bad = 0
        """Requests whose header can't be read."""
        self.undelivered = 0
        """Answers whose relay went down: the asker has been told by that."""
        self._nursery: trio.Nursery | None = None
        self._accepting = True

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            self._start_some()
            await trio.sleep_forever()

    def receive(self, relay: str, envelope: Envelope) -> None:
        """Take in a REQUEST; never waits."""
        try:
            header = decode_request(envelope.header)
            priority = Priority(envelope.priority)
        except (msgspec.MsgspecError, ValueError):
            self.bad += 1
            return
        now = trio.current_time()
        deadline = now + header.budget_ms / 1000
        asked = Asked(relay, priority, header, envelope.body, now, deadline)
        if not self._accepting:
            self._answer_soon(asked, _error(ErrorCode.UNAVAILABLE, BROKEN_RETRY_MS))
        elif self.turns.come(asked):
            self._start_some()
        else:
            self._answer_soon(asked, _error(ErrorCode.OVERLOADED, OVERLOADED_RETRY_MS))

    def reconfigured(self, bounds: Bounds) -> None:
        """Have other bounds from now on."""
        self.turns.reconfigured(bounds)
        self._start_some()

    async def drain(self) -> None:
        """Refuse what comes from now on (`unavailable`: another instance may do it), and wait
        until all that was admitted is answered."""
        self._accepting = False
        while self.turns.at_work or self.turns.waiting:
            await trio.sleep(0.01)

    def _start_some(self) -> None:
        while self._nursery and (asked := self.turns.next(trio.current_time())):
            self._nursery.start_soon(self._work, asked)

    def _answer_soon(self, asked: Asked, error: ErrorBody) -> None:
        """Refuse without waiting: where a refusal does not fit, the asker times out."""
        self.failed += 1
        if not self._mesh.offer(asked.relay, asked.priority, _reply(asked, b"", error)):
            self.undelivered += 1

    async def _work(self, asked: Asked) -> None:
        began = trio.current_time()
        try:
            answer = await self._answer(asked)
            await self._mesh.send(asked.relay, asked.priority, answer)
            self.answered += 1
        except RelayDownError:
            self.undelivered += 1
        finally:
            self.turns.done(asked.priority, began, trio.current_time())
            self._start_some()

    async def _answer(self, asked: Asked) -> bytes:
        try:
            return _reply(asked, await self._serve(asked.header, asked.body), None)
        except RequestError as error:
            self.failed += 1
            return _reply(asked, b"", error.body)
        except BadEnvelopeError:
            self.failed += 1
            return _reply(asked, b"", _error(ErrorCode.TOO_LARGE, 0))
        except Exception as error:
            # A broken request must not end the service; the log keeps what is to be mended.
            self.failed += 1
            self.broken += 1
            header = asked.header
            log.exception("request_broken", method=header.method, trace=header.trace, error=error)
            return _reply(asked, b"", _error(ErrorCode.UNAVAILABLE, BROKEN_RETRY_MS))


def _reply(asked: Asked, body: bytes, error: ErrorBody | None) -> bytes:
    header = ReplyHeader(asked.header.request, asked.header.incarnation, error)
    key = asked.header.source.encode()
    return encode(Kind.REPLY, asked.priority, key, encode_header(header), body)


def _error(code: ErrorCode, retry_after_ms: int) -> ErrorBody:
    return RequestError(code, retry_after_ms=retry_after_ms).body
