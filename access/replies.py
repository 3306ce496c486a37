"""Answers a session's requests: each once, with its own id."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from access.counters import AccessCounters
from access.session import Session
from access.tasks import Tasks
from proto import server_frames
from proto.close_codes import CloseCode
from proto.errors import ErrorBody, RequestError
from proto.priorities import Priority

log = structlog.get_logger()

POLL_S = 0.01

Work = Callable[[], Awaitable[None]]


class Replies:
    """Writes replies. They go ahead of pushes that wait (they are small, and a push must not
    overtake the answer to its `join`), except where a reply carries messages itself."""

    def __init__(self, counters: AccessCounters, tasks: Tasks) -> None:
        self._counters = counters
        self._tasks = tasks
        self._under_way = 0

    def ok(
        self,
        session: Session,
        request: int,
        body: bytes = b"{}",
        priority: Priority = Priority.URGENT,
    ) -> None:
        """Answer with the JSON object `body`."""
        message = server_frames.message([server_frames.reply_ok(request, body)])
        session.connection.send(message, priority)

    def error(self, session: Session, request: int | None, error: ErrorBody) -> None:
        """Answer with an error."""
        self._counters.errors[error.code.value] += 1
        message = server_frames.message([server_frames.reply_error(request, error)])
        session.connection.send(message, Priority.URGENT)

    def later(self, session: Session, request: int, work: Work) -> None:
        """Run `work`, which answers by itself or raises `RequestError`; raises `overloaded`."""
        session.begin_request()
        self._tasks.start(self._run, session, request, work)

    async def _run(self, session: Session, request: int, work: Work) -> None:
        await self.guarded(session, request, work)

    async def guarded(self, session: Session, request: int, work: Work) -> ErrorBody | None:
        """Run `work`, begun with `begin_request`; what it raises is answered, and returned."""
        self._under_way += 1
        try:
            await work()
        except RequestError as error:
            self.error(session, request, error.body)
            return error.body
        except Exception:
            session.connection.close(CloseCode.INTERNAL_ERROR, "the node failed; resume elsewhere")
            raise
        finally:
            self._under_way -= 1
            session.end_request()
        return None

    async def finished(self) -> None:
        """Wait until nothing that was asked is under way, for clients that have gone neither."""
        while self._under_way:
            await trio.sleep(POLL_S)
