"""Moderation of rooms by back ends: mute, ban, kick, slow mode, roles. Logic knows the rules."""

from typing import Annotated

import msgspec

from mesh.interface import Mesh
from proto.errors import ErrorCode
from proto.moderation import (
    MAX_FOR_S,
    MAX_INTERVAL_S,
    MAX_PAGE,
    MAX_REASON_CHARACTERS,
    Action,
    ModerateOk,
    ModerationState,
    StateBody,
)
from proto.priorities import Priority
from proto.requests.fields import PageCursor
from proto.roles import HOST, MODERATOR
from proto.services import Method, encode
from router.gateway.bodies import Mid, Uid
from router.gateway.operation import Call, Operation
from router.gateway.scopes import Scope


class Moderation(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """What is done in a room: `for_s` are seconds, 0 for good; `interval_s` (of `slow`) is the time
    between two chat messages of one user; `role` (of `grant`) is `moderator` or `host`."""

    action: Action
    uid: Uid | None = None
    for_s: Annotated[int, msgspec.Meta(ge=0, le=MAX_FOR_S)] = 0
    interval_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_INTERVAL_S)] | None = None
    role: Annotated[str, msgspec.Meta(pattern=rf"^({MODERATOR}|{HOST})\Z")] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARACTERS)] = ""
    mid: Mid | None = None


class ModerationPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of what holds in a room; an empty `cursor` begins."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 100
    cursor: PageCursor = ""


class ModerateOperations:
    """Asks logic where the room is at home."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return how a room is moderated, and what holds there."""
        path = "/v1/rooms/{room}/moderation"
        return [
            Operation(
                name="moderateRoom",
                method="POST",
                path=path,
                summary="Mute, ban, send out, slow down, or give a role, in a room.",
                handle=self.moderate,
                takes=Moderation,
                gives=ModerateOk,
                needs=Scope.MODERATE,
                changes=True,
                errors=(ErrorCode.FULL,),
            ),
            Operation(
                name="getRoomModeration",
                method="GET",
                path=path,
                summary="List who is muted, banned or has a role in a room, and its slow mode.",
                handle=self.state,
                takes=ModerationPage,
                gives=ModerationState,
                needs=Scope.MODERATE,
            ),
        ]

    async def moderate(self, call: Call, asked: Moderation) -> bytes:
        """Do it, and tell the room."""
        if asked.uid is not None:
            call.caller.require_users([asked.uid], "uid")
        fields = msgspec.to_builtins(asked) | {"mid": asked.mid or call.own_id}
        frame = {"op": "moderate", "id": 0, "room": call.path["room"], **fields}
        return await self._ask(call, Method.MODERATE, Priority.URGENT, msgspec.json.encode(frame))

    async def state(self, call: Call, page: ModerationPage) -> bytes:
        """Return a page of what holds in the room."""
        body = encode(StateBody(page.cursor, page.limit))
        return await self._ask(call, Method.MODERATION, Priority.NORMAL, body)

    async def _ask(self, call: Call, method: Method, lane: Priority, body: bytes) -> bytes:
        return await self._mesh.request(
            method,
            lane,
            body,
            room=call.path["room"],
            uid=call.caller.id,
            name=call.caller.name,
            role=call.caller.role,
            trace=call.trace,
            repeatable=True,
        )
