"""What members and back ends may ask about a group; nothing is changed or held."""

import msgspec
from sqlalchemy import Connection

from backends.database.groups import Group, read_group
from backends.database.members import Member, page_of_members, read_members
from logic.groups.turn import is_present, no_group, not_member
from logic.im.paging import cursor_after, uid_before
from logic.im.service import Asker
from proto.requests.groups import GroupInfo, GroupMembers


class GroupInfoOk(msgspec.Struct, frozen=True):
    """The `ok` of `group_info`: the group, and (`role`, `joined`, `own_muted_until`) the asker in
    it. Times are Unix milliseconds, 0 for never."""

    conv: str
    name: str
    owner: str
    member_count: int
    muted_until: int
    hot: bool
    created: int
    role: str
    joined: int
    own_muted_until: int


class MemberOk(msgspec.Struct, frozen=True):
    """A member; `muted_until` is in Unix milliseconds."""

    uid: str
    role: str
    muted_until: int


class GroupMembersOk(msgspec.Struct, frozen=True):
    """The `ok` of `group_members`; an empty `cursor` ends the list."""

    conv: str
    members: list[MemberOk]
    cursor: str


def info(connection: Connection, asker: Asker, request: GroupInfo) -> GroupInfoOk:
    """Return what the group is; raises `RequestError`."""
    group, me = _look(connection, request.conv, asker)
    return GroupInfoOk(
        group.conv,
        group.name,
        group.owner,
        group.member_count,
        group.muted_until,
        group.hot,
        group.created,
        me.role,
        me.joined_seq,
        me.muted_until,
    )


def page(connection: Connection, asker: Asker, request: GroupMembers) -> GroupMembersOk:
    """Return a page of members; raises `RequestError`."""
    after = uid_before(request.cursor)
    _look(connection, request.conv, asker)
    found = page_of_members(connection, request.conv, after, request.limit)
    cursor = cursor_after([member.uid for member in found], request.limit)
    members = [MemberOk(member.uid, member.role, member.muted_until) for member in found]
    return GroupMembersOk(request.conv, members, cursor)


def _look(connection: Connection, conv: str, asker: Asker) -> tuple[Group, Member]:
    group = read_group(connection, conv)
    if group is None or group.dissolved:
        raise no_group(asker)
    me = read_members(connection, conv, [asker.uid]).get(asker.uid)
    if me is not None and is_present(me):
        return group, me
    if not asker.is_back_end:
        raise not_member()
    return group, Member(asker.uid, "", 0, 0, 0)
