"""Joining and leaving rooms; several at once in a `hello`."""

from collections.abc import Sequence

import msgspec
import trio

from access.census import Census
from access.replies import Replies
from access.room import Room
from access.rooms import Rooms
from access.session import Session
from access.starts import Starts
from access.user_rates import UserRates
from mesh.interface import Mesh
from proto.client_requests import Join, JoinSpec, Leave, Position
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.server_frames import encode_json

Prepared = tuple[Room, Starts]


class JoinAnswer(msgspec.Struct, frozen=True):
    """The `ok` of a join."""

    room: str
    epoch: str
    streams: dict[str, Position]
    online: int
    likes: int
    carrier: str
    role: str


class Joins:
    """Prepares a join, which may wait, and completes it in one step with its answer: a member gets
    each message behind the answered heads once, and none before."""

    def __init__(
        self, rooms: Rooms, census: Census, mesh: Mesh, replies: Replies, users: UserRates
    ) -> None:
        self._rooms = rooms
        self._census = census
        self._mesh = mesh
        self._replies = replies
        self._users = users

    def join(self, session: Session, request: Join) -> None:
        """Join a room; answers later. Raises `too_many_rooms` or `overloaded`."""
        session.who()
        spec = JoinSpec(room=request.room, since=request.since, history=request.history)

        async def work() -> None:
            (prepared,) = await self.prepare(session, [spec])
            outcome = self.settled(session, prepared)
            if isinstance(outcome, ErrorBody):
                self._replies.error(session, request.id, outcome)
            elif session.gone:
                self.release(session, outcome)
            else:
                answer = self.answer(session, outcome)
                self._replies.ok(session, request.id, encode_json(answer))
                self.enter(session, outcome)

        self._replies.later(session, request.id, work)

    def leave(self, session: Session, request: Leave) -> None:
        """Leave a room; raises `not_joined`."""
        session.who()
        room = session.room(request.room)
        del session.rooms[room.name]
        self._rooms.left(room, session.connection)
        self._replies.ok(session, request.id)

    def leave_all(self, session: Session) -> None:
        """Let a session that is gone leave its rooms."""
        for room in session.rooms.values():
            self._rooms.left(room, session.connection)
        session.rooms.clear()

    async def prepare(
        self, session: Session, specs: Sequence[JoinSpec]
    ) -> list[Prepared | ErrorBody]:
        """Open the rooms, all at once. Each room returned is held: `enter` it or release it."""
        if len(specs) == 1:  # the usual case needs no tasks
            return [await self._prepare(session, specs[0])]
        outcomes: list[Prepared | ErrorBody] = [_UNTRIED] * len(specs)

        async def prepare_one(index: int, spec: JoinSpec) -> None:
            outcomes[index] = await self._prepare(session, spec)

        async with trio.open_nursery() as nursery:
            for index, spec in enumerate(specs):
                nursery.start_soon(prepare_one, index, spec)
        return outcomes

    async def _prepare(self, session: Session, spec: JoinSpec) -> Prepared | ErrorBody:
        try:
            return await self._hold(session, spec)
        except RequestError as error:
            return error.body

    async def _hold(self, session: Session, spec: JoinSpec) -> Prepared:
        session.count_join(trio.current_time(), self._users)
        session.begin_join(spec.room)
        try:
            room = await self._rooms.opened(spec.room)
            try:
                return room, await room.starts(spec.since, spec.history)
            except BaseException:
                self._rooms.release(room)
                raise
        except BaseException:
            session.end_join(spec.room)
            raise

    def settled(self, session: Session, outcome: Prepared | ErrorBody) -> Prepared | ErrorBody:
        """Return `outcome`, or `banned` where the room does not let the session in (now, which may
        be a while after it was prepared)."""
        if isinstance(outcome, ErrorBody):
            return outcome
        room, claims = outcome[0], session.who()
        try:
            room.standing.admit(claims.sub, claims.role_in(room.name))
        except RequestError as error:
            self.release(session, outcome)
            return error.body
        return outcome

    def answer(self, session: Session, prepared: Prepared) -> JoinAnswer:
        """Return what the join answers, settled; `enter` must follow without a pause."""
        room, starts = prepared
        online, likes = room.totals()
        carriers = self._mesh.carriers(room.name)
        return JoinAnswer(
            room=room.name,
            epoch=room.epoch,
            streams=room.entering(starts),
            online=max(online, len(room.seats) + (session.connection.id not in room.seats)),
            likes=likes,
            carrier=carriers[0] if carriers else "",
            role=room.standing.role(session.who().sub, session.who().role_in(room.name)),
        )

    def enter(self, session: Session, prepared: Prepared) -> None:
        """Seat the session and give up the hold; joining again starts anew from the new place."""
        room, starts = prepared
        room.leave(session.connection)
        session.rooms[room.name] = room
        session.end_join(room.name)
        claims = session.who()
        room.enter(session.connection, claims.sub, claims.role_in(room.name), starts)
        self._census.changed(room.name)
        self._rooms.release(room)

    def release(self, session: Session, outcome: Prepared | ErrorBody) -> None:
        """Give up a room that was prepared for somebody who has gone."""
        if not isinstance(outcome, ErrorBody):
            session.end_join(outcome[0].name)
            self._rooms.release(outcome[0])


_UNTRIED = ErrorBody(ErrorCode.UNAVAILABLE, "not tried")
