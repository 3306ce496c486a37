"""The rooms of this node by name: opens, lets linger, closes; hands each its envelopes."""

from functools import partial

import msgspec
import structlog
import trio

from access.census import Census
from access.edge.interface import Connection
from access.likes_by_home import LikesByHome
from access.moderation.removals import Removals
from access.room import Room, RoomState
from access.room_stream import Surroundings
from access.settings import RoomSettings
from mesh.interface import Mesh
from proto.envelopes import Envelope
from proto.errors import ErrorCode, RequestError
from proto.headers import decode_heads, decode_room
from proto.priorities import Priority

log = structlog.get_logger()

PRIORITIES = tuple(Priority)
"""By value: an index costs a tenth of an enum's call."""


class Rooms:
    """All rooms that have members here, or had until a moment ago."""

    def __init__(
        self,
        mesh: Mesh,
        around: Surroundings,
        census: Census,
        likes: LikesByHome,
        settings: RoomSettings,
    ) -> None:
        self._mesh = mesh
        self._around = around
        self._census = census
        self._likes = likes
        self.settings = settings
        self._removals = Removals(self.left, around.counters)
        self._rooms: dict[str, Room] = {}
        self._by_key: dict[bytes, Room] = {}
        self.joining = 0
        """Joins that wait for their room to open."""

    def __len__(self) -> int:
        return len(self._rooms)

    @property
    def with_members(self) -> int:
        """How many rooms have somebody in them."""
        return sum(bool(room.seats) for room in self._rooms.values())

    @property
    def pending(self) -> list[int]:
        """Return how many messages wait in all rooms, by priority."""
        waiting = [0, 0, 0]
        for room in self._rooms.values():
            for stream in room.streams:
                waiting[stream.priority] += stream.pending
        return waiting

    def get(self, name: str) -> Room | None:
        """Return a room that is open or being opened."""
        return self._rooms.get(name)

    def names(self) -> list[str]:
        """Return the names of the rooms that are live."""
        return [room.name for room in self._rooms.values() if room.state is RoomState.LIVE]

    # -- what the mesh brings

    def receive_message(self, envelope: Envelope) -> None:
        """Take a ROOM envelope."""
        room = self._by_key.get(envelope.key)
        if room is None:
            self._around.counters.drops["no_room", envelope.priority] += 1
            return
        try:
            header = decode_room(envelope.header)
            priority = PRIORITIES[envelope.priority]
        except (msgspec.MsgspecError, IndexError):
            self._around.counters.bad_envelopes += 1
            return
        room.receive(priority, header, envelope.body)

    def receive_heads(self, envelope: Envelope) -> None:
        """Take a HEADS envelope."""
        room = self._by_key.get(envelope.key)
        if room is None:
            return
        try:
            heads = decode_heads(envelope.header)
        except msgspec.MsgspecError:
            self._around.counters.bad_envelopes += 1
            return
        room.heads(heads)

    # -- members

    async def opened(self, name: str) -> Room:
        """Return the room, live, held once (`release` it); raises `RequestError`."""
        room = self._rooms.get(name) or self._open(name)
        room.holds += 1
        try:
            if room.state is not RoomState.LIVE:
                await self._wait_until_open(room)
        except BaseException:
            self.release(room)
            raise
        return room

    def release(self, room: Room) -> None:
        """Give up a hold from `opened`."""
        room.holds -= 1
        self._linger_if_empty(room)

    def left(self, room: Room, connection: Connection) -> None:
        """Let a member leave."""
        if room.leave(connection):
            self._census.changed(room.name)
            self._linger_if_empty(room)

    def renewed(self, room: Room, connection: Connection, uid: str, own: str) -> None:
        """Learn that a member has another token, which gives it the role `own`."""
        if room.note_role(connection, uid, own):
            self._census.changed(room.name)
            self._removals.by_token(room, connection)

    def _open(self, name: str) -> Room:
        if len(self._rooms) >= self.settings.max_rooms:
            raise RequestError(
                ErrorCode.TOO_MANY_ROOMS,
                "room: this node is in as many rooms as it may be; connect to another",
                field="room",
                retry_after_ms=5000,
            )
        room = self._rooms[name] = self._by_key[name.encode()] = Room(
            name, self._mesh, self._around, self._removals
        )
        self._around.tasks.start(self._open_or_forget, room)
        return room

    async def _open_or_forget(self, room: Room) -> None:
        try:
            await room.open()
        finally:
            if room.state is not RoomState.LIVE:
                self._forget(room)
        self._linger_if_empty(room)

    async def _wait_until_open(self, room: Room) -> None:
        if self.joining >= self.settings.max_joining:
            raise RequestError(
                ErrorCode.OVERLOADED, "too many joins wait for their rooms", retry_after_ms=1000
            )
        self.joining += 1
        try:
            with trio.fail_after(self.settings.join_s):
                await room.opened()
        except trio.TooSlowError:
            raise RequestError(
                ErrorCode.TIMEOUT, "the room could not be opened in time", retry_after_ms=1000
            ) from None
        finally:
            self.joining -= 1

    def _linger_if_empty(self, room: Room) -> None:
        if not room.in_use and room.state is RoomState.LIVE:
            room.closes_at = trio.current_time() + self.settings.linger_s
            self._around.alarms.at(room.closes_at, partial(self._close_if_empty, room))

    def _close_if_empty(self, room: Room) -> None:
        # When somebody came and went meanwhile, a later alarm is the one that counts.
        early = room.closes_at > trio.current_time()
        if room.in_use or early or room.state is not RoomState.LIVE:
            return
        room.close()
        self._forget(room)
        log.info("room_closed", room=room.name)

    def _forget(self, room: Room) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            del self._by_key[room.name.encode()]
        self._likes.close(room.name)
