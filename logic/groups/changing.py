"""What else changes in a group: its name, who leads it, and who may speak."""

from backends.database.groups import change_group
from backends.database.members import change_member
from logic.groups import rules
from logic.groups.turn import Done, Turn
from proto.errors import ErrorCode, RequestError
from proto.im_frames import MessageKind
from proto.requests.groups import GroupMute, GroupRole, GroupTransfer, GroupUpdate


def check_name(name: str) -> None:
    """Raise `RequestError` where nobody could read the name."""
    if not name.strip() or not name.isprintable():
        raise RequestError(
            ErrorCode.BAD_FRAME,
            "name: must have a letter or another sign, and no control characters",
            field="name",
        )


def update(turn: Turn, request: GroupUpdate) -> Done:
    """Give the group another name."""
    check_name(request.name)
    if request.name == turn.group.name:
        return turn.nothing()
    change_group(turn.connection, turn.group.conv, name=request.name)
    return turn.done(MessageKind.GROUP_UPDATED, {"name": request.name})


def set_role(turn: Turn, request: GroupRole) -> Done:
    """Make a member an admin, or a plain member again."""
    target = turn.present(request.uid)
    rules.check_below(turn.me, target, "uid")
    if target.role == request.role:
        return turn.nothing()
    change_member(turn.connection, turn.group.conv, target.uid, role=request.role)
    return turn.done(MessageKind.GROUP_ROLE, {"uid": target.uid, "role": request.role})


def mute(turn: Turn, request: GroupMute) -> Done:
    """Silence one member, or all plain ones, for a while; 0 s ends it."""
    until = turn.act.now_ms + request.for_s * 1000 if request.for_s else 0
    body = {"for_s": request.for_s, "until": until}
    if request.uid is None:
        if until == turn.group.muted_until:
            return turn.nothing()
        change_group(turn.connection, turn.group.conv, muted_until=until)
        return turn.done(MessageKind.GROUP_MUTED, body)
    target = turn.present(request.uid)
    rules.check_below(turn.me, target, "uid")
    if until == target.muted_until:
        return turn.nothing()
    change_member(turn.connection, turn.group.conv, target.uid, muted_until=until)
    return turn.done(MessageKind.GROUP_MUTED, {"uid": target.uid} | body)


def transfer(turn: Turn, request: GroupTransfer) -> Done:
    """Make a member the owner, who may speak; the owner so far becomes an admin."""
    target, conv = turn.present(request.uid), turn.group.conv
    if target.role == rules.OWNER:
        return turn.nothing()
    change_group(turn.connection, conv, owner=target.uid)
    change_member(turn.connection, conv, turn.group.owner, role=rules.ADMIN)
    change_member(turn.connection, conv, target.uid, role=rules.OWNER, muted_until=0)
    return turn.done(MessageKind.GROUP_TRANSFERRED, {"uid": target.uid})
