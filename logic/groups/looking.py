"""What members and back ends may ask about a group; nothing is changed or held."""

from sqlalchemy import Connection

from backends.database.groups import Group, read_group
from backends.database.members import Member, page_of_members, read_members
from logic.groups.turn import is_present, no_group, not_member
from logic.im.paging import cursor_after, uid_before
from logic.im.service import Asker
from proto.group_answers import GroupMember, GroupMemberPage, GroupState
from proto.requests.groups import GroupInfo, GroupMembers


def info(connection: Connection, asker: Asker, request: GroupInfo) -> GroupState:
    """Return what the group is; raises `RequestError`."""
    group, me = _look(connection, request.conv, asker)
    return GroupState(
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


def page(connection: Connection, asker: Asker, request: GroupMembers) -> GroupMemberPage:
    """Return a page of members; raises `RequestError`."""
    after = uid_before(request.cursor)
    _look(connection, request.conv, asker)
    found = page_of_members(connection, request.conv, after, request.limit)
    cursor = cursor_after([member.uid for member in found], request.limit)
    members = [GroupMember(member.uid, member.role, member.muted_until) for member in found]
    return GroupMemberPage(request.conv, members, cursor)


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
