"""How users go out of a group: by themselves, sent out, or all with its end."""

from typing import Any

from backends.database.groups import change_group
from backends.database.hot_groups import switch
from backends.database.members import remove_members
from logic.groups import rules
from logic.groups.turn import Done, GroupOk, Turn
from proto.im_frames import MessageKind
from proto.requests.groups import GroupDissolve, GroupKick, GroupLeave


def leave(turn: Turn, _: GroupLeave) -> Done:
    """Leave."""
    return _go(turn, [turn.act.asker.uid], {})


def kick(turn: Turn, request: GroupKick) -> Done:
    """Send members out; who is not in, or no longer, is left as it is."""
    uids = sorted(uid for uid in {*request.uids} if turn.is_present(uid))
    for uid in uids:
        rules.check_below(turn.me, turn.members[uid], "uids")
    return _go(turn, uids, {"by": turn.act.asker.uid}) if uids else turn.nothing([])


def dissolve(turn: Turn, _: GroupDissolve) -> Done:
    """End the group. Its members are not touched, however many: the message tells them, and that
    the group is dissolved is looked up where it matters."""
    conv = turn.group.conv
    change_group(turn.connection, conv, dissolved=True, tagged_hot=False)
    done = turn.done(MessageKind.GROUP_DISSOLVED, {})
    # Nothing follows: a hot stream ends, so that nobody goes on asking where it does.
    cool = switch(turn.connection, conv, False, turn.act.now_ms)
    return done._replace(appended=[*done.appended, cool]) if cool else done


def _go(turn: Turn, uids: list[str], by: dict[str, Any]) -> Done:
    told = turn.tell(MessageKind.GROUP_LEFT, {"uids": uids} | by)
    remove_members(turn.connection, told, uids)
    count = turn.group.member_count - len(uids)
    change_group(turn.connection, told.conv, member_count=count)
    left = {"conv": told.conv, "left": told.seq} | by
    each = turn.tell_each(uids, MessageKind.GROUP_LEFT, left)
    return Done(GroupOk(told.conv, told.seq, uids), [told, *each])
