"""Groups and instant messages, for back ends: who is in a group, and what the platform says."""

from dataclasses import replace
from typing import Any

import msgspec

from mesh.interface import Mesh
from proto.conversations import system
from proto.errors import ErrorCode
from proto.group_answers import GroupMemberPage, GroupState
from proto.priorities import Priority
from proto.services import Method
from router.gateway.group_bodies import (
    GroupHistoryPage,
    GroupUsers,
    MembersPage,
    NewGroup,
    SystemMessage,
)
from router.gateway.operation import Call, Handle, Operation
from router.gateway.scopes import Scope


class GroupChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a change came to: `seq` is the message that tells the group, 0 where nothing was to be
    done; `uids` those who came in or went out."""

    conv: str
    seq: int
    uids: list[str] | None = None


class MessageSent(msgspec.Struct, frozen=True):
    """Where a message stands, for good; `ts` is Unix milliseconds."""

    conv: str
    seq: int
    id: str
    ts: int
    mid: str


class GroupHistory(msgspec.Struct, frozen=True):
    """Messages as clients get them, the oldest first; `oldest` and `head` are the first and the
    last that there are."""

    conv: str
    oldest: int
    head: int
    frames: list[msgspec.Raw]


class GroupOperations:
    """Asks logic as a back end, which may do in a group what its owner may."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return what may be done with groups, and said."""
        path, user = "/v1/groups/{group}", "/v1/users/{uid}"
        return [
            _change("createGroup", "/v1/groups", "Make a group.", self.create, NewGroup),
            _change("bringIntoGroup", f"{path}/invite", "Bring users in.", self.invite, GroupUsers),
            _change("sendOutOfGroup", f"{path}/kick", "Send members out.", self.kick, GroupUsers),
            _change("dissolveGroup", f"{path}/dissolve", "End a group.", self.dissolve, None),
            _look("getGroup", path, "Tell what a group is.", self.info, None, GroupState),
            _look(
                "listGroupMembers",
                f"{path}/members",
                "List a group's members by uid.",
                self.members,
                MembersPage,
                GroupMemberPage,
            ),
            replace(
                _look(
                    "getGroupHistory",
                    f"{path}/messages",
                    "Read what was said in a group.",
                    self.history,
                    GroupHistoryPage,
                    GroupHistory,
                ),
                needs=Scope.READ_HISTORY,
            ),
            _say("sendToGroup", f"{path}/messages", self.say_in_group, Scope.GROUPS),
            _say("sendToUser", f"{user}/messages", self.say_to_user, Scope.PUBLISH_USER),
        ]

    async def create(self, call: Call, body: NewGroup) -> bytes:
        """Make a group of the owner's."""
        call.caller.require_users([body.owner], "owner")
        call.caller.require_users(body.members, "members")
        mid = body.mid or call.own_id
        return await self._ask(
            call, "group_create", uid=body.owner, mid=mid, name=body.name, members=body.members
        )

    async def invite(self, call: Call, body: GroupUsers) -> bytes:
        """Bring users in."""
        call.caller.require_users(body.uids, "uids")
        return await self._ask(call, "group_invite", conv=call.path["group"], uids=body.uids)

    async def kick(self, call: Call, body: GroupUsers) -> bytes:
        """Send members out."""
        call.caller.require_users(body.uids, "uids")
        return await self._ask(call, "group_kick", conv=call.path["group"], uids=body.uids)

    async def dissolve(self, call: Call, _: None) -> bytes:
        """End a group."""
        return await self._ask_of_all(call, "group_dissolve")

    async def info(self, call: Call, _: None) -> bytes:
        """Tell what a group is."""
        return await self._ask_of_all(call, "group_info")

    async def members(self, call: Call, page: MembersPage) -> bytes:
        """Return a page of members."""
        return await self._ask_of_all(call, "group_members", limit=page.limit, cursor=page.cursor)

    async def history(self, call: Call, page: GroupHistoryPage) -> bytes:
        """Return a page of what was said in a group, which counts as a room by its id: a key that
        reads some rooms alone reads no groups."""
        call.caller.require_room(call.path["group"])
        after = {} if page.after is None else {"after": page.after}
        return await self._ask_of_all(
            call, "history", before=page.before, limit=page.limit, **after
        )

    async def say_in_group(self, call: Call, body: SystemMessage) -> bytes:
        """Say something in a group."""
        return await self._ask_of_all(call, "send", sender=body.name, **_said(call, body))

    async def say_to_user(self, call: Call, body: SystemMessage) -> bytes:
        """Say something in a user's system conversation."""
        conv = system(call.path["uid"])
        return await self._ask(call, "send", sender=body.name, conv=conv, **_said(call, body))

    async def _ask_of_all(self, call: Call, op: str, **fields: Any) -> bytes:
        """Ask about a group of whoever it may be."""
        call.caller.require_everybody()
        return await self._ask(call, op, conv=call.path["group"], **fields)

    async def _ask(
        self, call: Call, op: str, *, uid: str = "", sender: str = "", **fields: Any
    ) -> bytes:
        return await self._mesh.request(
            Method.IM,
            Priority.NORMAL,
            msgspec.json.encode({"op": op, "id": 0, **fields}),
            uid=uid or call.caller.id,
            name=sender or call.caller.name,
            role=call.caller.role,
            trace=call.trace,
            repeatable=True,
        )


def _said(call: Call, body: SystemMessage) -> dict[str, Any]:
    said: dict[str, Any] = {"mid": body.mid or call.own_id, "text": body.text}
    return said | {"data": body.data} if bytes(body.data) else said


def _change(
    name: str, path: str, summary: str, handle: Handle, takes: type[msgspec.Struct] | None
) -> Operation:
    return Operation(
        name=name,
        method="POST",
        path=path,
        summary=summary,
        handle=handle,
        takes=takes,
        gives=GroupChanged,
        needs=Scope.GROUPS,
        changes=True,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.FULL),
    )


def _look(
    name: str,
    path: str,
    summary: str,
    handle: Handle,
    takes: type[msgspec.Struct] | None,
    gives: type[msgspec.Struct],
) -> Operation:
    return Operation(
        name=name,
        method="GET",
        path=path,
        summary=summary,
        handle=handle,
        takes=takes,
        gives=gives,
        needs=Scope.GROUPS,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.BAD_CURSOR),
    )


def _say(name: str, path: str, handle: Handle, needs: Scope) -> Operation:
    return Operation(
        name=name,
        method="POST",
        path=path,
        summary="Say something as the platform: an instant message, kept and delivered.",
        handle=handle,
        takes=SystemMessage,
        gives=MessageSent,
        needs=needs,
        changes=True,
        errors=(ErrorCode.NOT_FOUND,),
    )
