"""A client's requests about messages, contacts, groups and devices: passed on unread."""

from collections import deque
from collections.abc import Callable

from access.im.state import Line
from access.replies import Replies, Work
from access.session import Session
from access.tasks import Tasks
from mesh.interface import Mesh
from proto.client_requests import ImRequest
from proto.errors import CATALOGUE, ErrorBody, RequestError
from proto.priorities import Priority
from proto.requests.messages import Send
from proto.services import Method


class ImRequests:
    """Asks logic and answers with what it said.

    The messages of one session to one conversation go up one after the other: they are numbered in
    the order in which they were sent.
    """

    def __init__(
        self, mesh: Mesh, replies: Replies, tasks: Tasks, new_trace: Callable[[], str]
    ) -> None:
        self._mesh = mesh
        self._replies = replies
        self._tasks = tasks
        self._new_trace = new_trace

    def request(self, session: Session, request: ImRequest, text: bytes) -> None:
        """Pass `text`, the client's own frame, on; answers later. Raises `overloaded`."""

        async def ask() -> None:
            claims = session.who()
            answer = await self._mesh.request(
                Method.IM,
                Priority.NORMAL,
                text,
                uid=claims.sub,
                name=claims.name,
                role=claims.role,
                room=session.im.device_name if session.im is not None else "",
                trace=self._new_trace(),
                repeatable=True,
            )
            self._replies.ok(session, request.id, answer)

        if isinstance(request, Send):
            self._in_order(session, request, ask)
        else:
            self._replies.later(session, request.id, ask)

    def _in_order(self, session: Session, request: Send, ask: Work) -> None:
        session.begin_request()
        sending = session.instant_messages().sending
        line = sending.get(request.conv)
        if line is not None:
            line.append((request.id, ask))
        else:
            line = sending[request.conv] = deque([(request.id, ask)])
            self._tasks.start(self._send_all, session, sending, request.conv)

    async def _send_all(self, session: Session, sending: dict[str, Line], conv: str) -> None:
        line = sending[conv]
        try:
            while line and not session.gone:
                request_id, ask = line.popleft()
                error = await self._replies.guarded(session, request_id, ask)
                if error is not None and CATALOGUE[error.code].retry:
                    await self._refuse_all(session, line, error)
        finally:
            del sending[conv]

    async def _refuse_all(self, session: Session, line: Line, error: ErrorBody) -> None:
        """Answer what waits with the same error: the client sends all of it again, in order."""

        async def refuse() -> None:
            raise RequestError.from_body(error)

        while line:
            request_id, _ = line.popleft()
            await self._replies.guarded(session, request_id, refuse)
