"""What goes up: chat, speech and gifts unread, likes merged, fetches that no ring answers."""

import structlog
import trio

from access.counters import AccessCounters
from access.likes_by_home import LikesByHome
from access.replies import Replies, Work
from access.room import Room
from access.session import Session
from access.upstream import Upstream
from mesh.concurrency import Concurrency
from mesh.interface import Mesh
from proto.client_requests import MAX_FETCH, Chat, Fetch, Like, Publish, Speech
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.priorities import Priority
from proto.roles import HOST, rank
from proto.server_frames import encode_json
from proto.services import FetchBody, Method

log = structlog.get_logger()


BUSY_RETRY_MS = 1000


class Publishes:
    """Sends clients' messages upwards and answers with what logic said, unread.

    Of `chat` no more is under way than is answered in good time: the rest is refused here, where it
    costs least. Urgent messages have limits of their own, and always go up.
    """

    def __init__(self, mesh: Mesh, replies: Replies, chat: Concurrency) -> None:
        self._mesh = mesh
        self._replies = replies
        self._chat = chat

    def publish(self, session: Session, request: Publish, text: bytes, trace: str) -> None:
        """Publish `text`, the client's own frame; answers later. Raises `not_joined`, `forbidden`
        or `overloaded`."""
        claims = session.who()
        room = session.room(request.room)
        role = room.standing.role(claims.sub, claims.role_in(room.name))
        if isinstance(request, Speech) and rank(role) < rank(HOST):
            raise RequestError(
                ErrorCode.FORBIDDEN, "op: only a host of the room may speak", field="op"
            )
        chat = isinstance(request, Chat)

        async def ask() -> None:
            answer = await self._mesh.request(
                Method.PUBLISH,
                Priority.NORMAL if chat else Priority.URGENT,
                text,
                room=request.room,
                uid=claims.sub,
                name=claims.name,
                role=role,
                trace=trace,
                # With a `mid` logic recognises the second of two.
                repeatable=request.mid is not None,
            )
            self._replies.ok(session, request.id, answer)

        if chat:
            self._in_place(session, request, ask)
        else:
            self._replies.later(session, request.id, ask)

    def _in_place(self, session: Session, request: Publish, ask: Work) -> None:
        """Have `ask` done in a place of its own; raises `overloaded` where there is none now."""
        began = trio.current_time()
        if not self._chat.free(began):
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=BUSY_RETRY_MS)

        async def work() -> None:
            overloaded = False
            try:
                await ask()
            except RequestError as error:
                overloaded = error.body.code is ErrorCode.OVERLOADED
                raise
            finally:
                self._chat.leave(began, trio.current_time(), overloaded=overloaded)

        self._replies.later(session, request.id, work)
        self._chat.enter()


class Likings:
    """Counts likes; the answer follows the report that contains them."""

    def __init__(self, merger: LikesByHome, counters: AccessCounters, replies: Replies) -> None:
        self._merger = merger
        self._counters = counters
        self._replies = replies

    def like(self, session: Session, request: Like) -> None:
        """Count likes; answers later. Raises `not_joined`, `muted` or `overloaded`."""
        claims = session.who()
        room = session.room(request.room)
        room.standing.hear(claims.sub, claims.role_in(room.name))

        def answer(error: ErrorBody | None) -> None:
            session.end_request()
            if error is None:
                self._counters.likes_acknowledged += request.count
                self._replies.ok(session, request.id, b'{"counted":%d}' % request.count)
            else:
                self._replies.error(session, request.id, error)

        session.begin_request()
        if not self._merger.count(room.name, request.count, answer):
            session.end_request()
            raise RequestError(
                ErrorCode.OVERLOADED, "too many likes wait to be counted", retry_after_ms=1000
            )
        self._counters.likes_in += request.count


class Fetches:
    """Answers a client's fetch from the ring, else from the room log."""

    def __init__(self, upstream: Upstream, replies: Replies) -> None:
        self._upstream = upstream
        self._replies = replies

    def fetch(self, session: Session, request: Fetch) -> None:
        """Fetch part of a stream. Raises `not_joined`, `bad_frame` or `overloaded`."""
        session.who()
        room = session.room(request.room)
        first, last = _range(request)
        stream = room.streams[Priority.of(request.priority)]
        frames = stream.ring.read(first, last) if request.epoch == stream.epoch else None
        if frames is None:
            self._ask(session, request, room)
            return
        answer = _answer(request, stream.epoch, stream.cursor.head, stream.ring.oldest_seq, frames)
        self._replies.ok(session, request.id, answer, stream.priority)

    def _ask(self, session: Session, request: Fetch, room: Room) -> None:
        priority = Priority.of(request.priority)
        question = FetchBody(priority, request.epoch, *_range(request))

        async def work() -> None:
            found = await self._upstream.fetch(room.name, question)
            same = found.epoch == request.epoch
            frames = [frame for frame in found.frames if same and frame[0] <= question.last_seq]
            body = _answer(request, found.epoch, found.head_seq, found.oldest_seq, frames)
            self._replies.ok(session, request.id, body, priority)

        self._replies.later(session, request.id, work)


def _range(request: Fetch) -> tuple[int, int]:
    first, last = max(request.first_seq, 1), request.last_seq
    if last < first:
        raise RequestError(
            ErrorCode.BAD_FRAME, "to: must be at least 1 and not below `from`", field="to"
        )
    if last - first >= MAX_FETCH:
        raise RequestError(
            ErrorCode.BAD_FRAME, f"to: at most {MAX_FETCH} numbers at once", field="to"
        )
    return first, last


def _answer(
    request: Fetch, epoch: str, head: int, oldest: int, frames: list[tuple[int, bytes]]
) -> bytes:
    return b'{"room":%b,"priority":%b,"epoch":%b,"head":%d,"oldest":%d,"frames":[%b]}' % (
        encode_json(request.room),
        encode_json(request.priority),
        encode_json(epoch),
        head,
        oldest,
        b",".join(frame for _, frame in frames),
    )
