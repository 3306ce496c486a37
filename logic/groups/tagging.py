"""A back end keeps a group hot whatever its size and rate, or no longer."""

from sqlalchemy import Connection

from backends.database.groups import change_group, lock_group
from backends.database.hot_groups import switch
from logic.groups.turn import Act, Done, GroupOk
from proto.errors import ErrorCode, RequestError
from proto.requests.groups import GroupTag


def tag(connection: Connection, act: Act, request: GroupTag) -> Done:
    """Tag a group. One that is not hot becomes so with the message `hot`; one that is hot and no
    longer tagged cools down by the rules for all groups, later."""
    group = lock_group(connection, request.conv)
    if group is None or group.dissolved:
        raise RequestError(ErrorCode.NOT_FOUND, "conv: there is no such group", field="conv")
    change_group(connection, group.conv, tagged_hot=request.hot)
    told = switch(connection, group.conv, True, act.now_ms) if request.hot else None
    if told is None:
        return Done(GroupOk(group.conv, 0), [])
    return Done(GroupOk(group.conv, told.seq), [told])
