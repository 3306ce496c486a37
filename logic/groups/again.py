"""Requests that come again because their answer was lost: what they ask for is done already.

Most requests ask for a state, and find it. These three take from the asker what it needs to ask.
"""

from sqlalchemy import Connection

from backends.database.groups import read_group
from backends.database.members import has_left, read_members
from logic.groups import rules
from proto.requests.groups import GroupDissolve, GroupLeave, GroupRequest, GroupTransfer


def was_done(connection: Connection, uid: str, request: GroupRequest) -> bool:
    """Say whether `uid` must have asked for this before, with success."""
    if isinstance(request, GroupLeave):
        return has_left(connection, request.conv, uid)
    if isinstance(request, GroupDissolve):
        group = read_group(connection, request.conv)
        return group is not None and group.dissolved and group.owner == uid
    return isinstance(request, GroupTransfer) and _was_transferred(connection, uid, request)


def _was_transferred(connection: Connection, uid: str, request: GroupTransfer) -> bool:
    members = read_members(connection, request.conv, {uid, request.uid})
    roles = {each.uid: each.role for each in members.values() if not each.left_seq}
    return roles.get(uid) == rules.ADMIN and roles.get(request.uid) == rules.OWNER
