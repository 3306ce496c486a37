"""The first frame: who the client is, its route, and the rooms that it joins at once."""

from collections.abc import Callable

import msgspec
import trio

from access.credentials import Credentials
from access.expiry import Expiry
from access.im.opening import ImAnswer, ImRefused, Opened, Opening
from access.joins import JoinAnswer, Joins, Prepared
from access.moves.tickets import Tickets
from access.replies import Replies, Work
from access.route_keeper import RouteKeeper
from access.session import CloseError, Session
from access.user_connections import UserConnections
from access.users import Users
from proto.client_requests import Hello
from proto.close_codes import CloseCode
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.resume_tokens import Resume
from proto.server_frames import encode_json
from proto.tokens import Claims

CLOSE_CODES = {
    ErrorCode.TOKEN_INVALID: CloseCode.TOKEN_INVALID,
    ErrorCode.TOKEN_EXPIRED: CloseCode.TOKEN_EXPIRED,
    ErrorCode.TOKEN_REVOKED: CloseCode.REVOKED,
    ErrorCode.TOO_MANY_CONNECTIONS: CloseCode.TOO_MANY_CONNECTIONS,
}


class _Refused(msgspec.Struct, frozen=True):
    error: ErrorBody


class HelloAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `ok` of a hello; `im` where it was asked for."""

    uid: str
    node: str
    session: str
    heartbeat_ms: int
    rooms: dict[str, JoinAnswer | _Refused]
    im: ImAnswer | ImRefused | None = None


class Hellos:
    """Says hello back."""

    def __init__(
        self,
        node: str,
        joins: Joins,
        opening: Opening,
        users: Users,
        routes: RouteKeeper,
        tickets: Tickets,
        replies: Replies,
        *,
        credentials: Credentials,
        expiry: Expiry,
        connections: UserConnections,
        heartbeat_ms: int,
        route_wait_s: float,
        new_id: Callable[[], str],
    ) -> None:
        self._node = node
        self._joins = joins
        self._opening = opening
        self._users = users
        self._routes = routes
        self._tickets = tickets
        self._replies = replies
        self._credentials = credentials
        self._expiry = expiry
        self._connections = connections
        self._heartbeat_ms = heartbeat_ms
        self.route_wait_s = route_wait_s
        self._new_id = new_id

    def hello(self, session: Session, request: Hello) -> None:
        """Take a hello; answers later.

        Raises `hello_twice`, `token_invalid` for a bad `resume` (another hello may follow), or
        `CloseError` for a token that is bad or was revoked, and for one connection too many.
        """
        if session.claims is not None or session.greeting:
            raise RequestError(ErrorCode.HELLO_TWICE, field="op")
        claims = self._verified(session, request)
        if request.resume is None:
            self._replies.later(session, request.id, self._let_in(session, request, claims))
            return
        resume = self._tickets.read(request, request.resume, claims.sub)
        self._replies.later(
            session, request.id, lambda: self._resume(session, request, claims, resume)
        )
        session.greeting = True

    def _verified(self, session: Session, request: Hello) -> Claims:
        try:
            claims = self._credentials.verify(request.token)
            if request.resume is None:
                self._connections.check_here(claims.sub)
        except RequestError as error:
            session.connection.blame()
            self._replies.error(session, request.id, error.body)
            raise CloseError(CLOSE_CODES[error.body.code], error.body.message) from None
        return claims

    async def _resume(
        self, session: Session, request: Hello, claims: Claims, resume: Resume
    ) -> None:
        try:
            with self._users.coming(claims.sub, session.connection):
                await self._tickets.use(resume)
        finally:
            session.greeting = False
        # It may have been revoked since; who is let in is found by the next revocation.
        self._credentials.check(claims)
        if not session.gone:
            session.pinned = resume.room
            await self._let_in(session, request, claims)()

    def _let_in(self, session: Session, request: Hello, claims: Claims) -> Work:
        """Note who it is; returns what answers the hello."""
        session.claims = claims
        self._users.add(claims.sub, session.connection)
        if request.im is not None:
            self._opening.register(session, request.im)
        device = request.im.device if request.im is not None else ""
        written = self._routes.add(claims.sub, session.connection.id, device)
        return lambda: self._answer(session, request, written)

    async def _answer(self, session: Session, request: Hello, written: trio.Event) -> None:
        outcomes, opened = await self._prepare(session, request, written)
        if session.gone or not await self._may_stay(session, request) or session.gone:
            for outcome in outcomes:
                self._joins.release(session, outcome)
            return
        # From here on without a pause: nothing may be pushed between the answer and the seats.
        outcomes = [self._joins.settled(session, outcome) for outcome in outcomes]
        body = self._body(session, request, outcomes, opened)
        self._replies.ok(session, request.id, encode_json(body))
        for outcome in outcomes:
            if not isinstance(outcome, ErrorBody):
                self._joins.enter(session, outcome)
        session.connection.admitted()
        self._expiry.watch(session)
        if isinstance(opened, Opened):
            opened.start()

    async def _may_stay(self, session: Session, request: Hello) -> bool:
        """Say whether the user has no connection too many elsewhere; else this one is closed. One
        that moves is in the place of another, which is there until this one is."""
        if request.resume is not None:
            return True
        try:
            with trio.move_on_after(self.route_wait_s):
                await self._connections.check_everywhere(session.who().sub, session.connection.id)
        except RequestError as error:
            self._replies.error(session, request.id, error.body)
            session.connection.close(CLOSE_CODES[error.body.code], error.body.message)
            return False
        return True

    async def _prepare(
        self, session: Session, request: Hello, written: trio.Event
    ) -> tuple[list[Prepared | ErrorBody], Opened | ErrorBody | None]:
        route_due_at = trio.current_time() + self.route_wait_s
        spec = request.im
        if spec is None:  # the usual case needs no tasks
            outcomes = await self._joins.prepare(session, request.join)
            await _wait_until(written, route_due_at)
            return outcomes, None
        opened: list[Opened | ErrorBody] = []

        async def open_im() -> None:
            await _wait_until(written, route_due_at)
            opened.append(await self._opening.open(session, spec))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(open_im)
            outcomes = await self._joins.prepare(session, request.join)
        return outcomes, opened[0]

    def _body(
        self,
        session: Session,
        request: Hello,
        outcomes: list[Prepared | ErrorBody],
        opened: Opened | ErrorBody | None,
    ) -> HelloAnswer:
        rooms: dict[str, JoinAnswer | _Refused] = {}
        for spec, outcome in zip(request.join, outcomes, strict=True):
            if isinstance(outcome, ErrorBody):
                rooms[spec.room] = _Refused(outcome)
            else:
                rooms[spec.room] = self._joins.answer(session, outcome)
        im: ImAnswer | ImRefused | None = None
        if opened is not None:
            im = opened.answer() if isinstance(opened, Opened) else ImRefused(opened)
        uid, session_id = session.who().sub, self._new_id()
        return HelloAnswer(uid, self._node, session_id, self._heartbeat_ms, rooms, im)


async def _wait_until(written: trio.Event, due_at: float) -> None:
    """Wait for the route, and not for ever: with the store away clients are let in, and the route
    is written later."""
    with trio.move_on_at(due_at):
        await written.wait()
