"""What back ends publish: to a room, to a user, to several, and to everybody."""

import msgspec
import structlog
from msgspec.structs import replace

from mesh.interface import Mesh
from proto.priorities import Priority
from proto.services import Method, PushBody, encode
from router.gateway.bodies import (
    MAX_LIST_BODY_BYTES,
    Broadcast,
    Publish,
    PublishToUsers,
    checked_data,
)
from router.gateway.counters import GatewayCounters
from router.gateway.operation import Call, Operation
from router.gateway.scopes import Scope

log = structlog.get_logger()


class PublishedToRoom(msgspec.Struct, frozen=True):
    """Where the message stands in the room's stream, and when it was kept (Unix milliseconds)."""

    room: str
    priority: str
    epoch: str
    seq: int
    ts: int
    mid: str


class PublishedToUsers(msgspec.Struct, frozen=True):
    """How many users were named, whether or not they are online."""

    mid: str
    ts: int
    uids: int


class PublishedToAll(msgspec.Struct, frozen=True):
    """When the message was kept (Unix milliseconds)."""

    mid: str
    ts: int


class PublishOperations:
    """Has logic publish. With an id, the caller's or ours, a retry publishes once."""

    def __init__(self, mesh: Mesh, counters: GatewayCounters) -> None:
        self._mesh = mesh
        self._counters = counters

    def operations(self) -> list[Operation]:
        """Return the ways to publish."""
        return [
            Operation(
                name="publishToRoom",
                method="POST",
                path="/v1/rooms/{room}/publish",
                summary="Publish a notice to a room.",
                handle=self.to_room,
                takes=Publish,
                gives=PublishedToRoom,
                needs=Scope.PUBLISH_ROOM,
                changes=True,
            ),
            Operation(
                name="publishToUsers",
                method="POST",
                path="/v1/users/publish",
                summary="Publish to each connection of up to 10,000 users.",
                handle=self.to_users,
                takes=PublishToUsers,
                gives=PublishedToUsers,
                needs=Scope.PUBLISH_USER,
                changes=True,
                most_bytes=MAX_LIST_BODY_BYTES,
            ),
            Operation(
                name="publishToUser",
                method="POST",
                path="/v1/users/{uid}/publish",
                summary="Publish to each connection of a user.",
                handle=self.to_user,
                takes=Publish,
                gives=PublishedToUsers,
                needs=Scope.PUBLISH_USER,
                changes=True,
            ),
            Operation(
                name="broadcast",
                method="POST",
                path="/v1/broadcast",
                summary="Publish once to each connection of everybody, in all regions.",
                handle=self.to_everybody,
                takes=Broadcast,
                gives=PublishedToAll,
                needs=Scope.PUBLISH_ALL,
                changes=True,
            ),
        ]

    async def to_room(self, call: Call, body: Publish) -> bytes:
        """Publish to the room in the path."""
        return await self._push(call, replace(_push_body(call, body), room=call.path["room"]))

    async def to_user(self, call: Call, body: Publish) -> bytes:
        """Publish to the user in the path."""
        return await self._push(call, replace(_push_body(call, body), uids=[call.path["uid"]]))

    async def to_users(self, call: Call, body: PublishToUsers) -> bytes:
        """Publish to the users that the body lists, each named once."""
        call.caller.require_users(body.uids, "uids")
        uids = list(dict.fromkeys(body.uids))
        return await self._push(call, replace(_push_body(call, body), uids=uids))

    async def to_everybody(self, call: Call, body: Broadcast) -> bytes:
        """Publish to everybody who is connected."""
        call.caller.require_everybody()
        return await self._push(call, replace(_push_body(call, body), everybody=True))

    async def _push(self, call: Call, push: PushBody) -> bytes:
        raw = await self._mesh.request(
            Method.PUSH,
            Priority.of(push.priority),
            encode(push),
            room=push.room,
            uid=call.caller.id,
            name=call.caller.name,
            role=call.caller.role,
            trace=call.trace,
            repeatable=True,
        )
        self._counters.pushes += 1
        log.debug(
            "push_published",
            trace=call.trace,
            by=call.caller.id,
            mid=push.mid,
            room=push.room,
            uids=len(push.uids),
            everybody=push.everybody,
        )
        return raw


def _push_body(call: Call, body: Publish) -> PushBody:
    return PushBody(body.mid or call.own_id, body.priority, checked_data(body.data))
