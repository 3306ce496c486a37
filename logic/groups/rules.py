"""Who may do what in a group, and to whom. Pure.

Two rules hold for all of it: a request needs one of the roles in `MAY`, and what it does to members
it does only to those who stand below the asker.
"""

from backends.database.groups import Group
from backends.database.members import Member
from proto.client_requests import OP_OF
from proto.errors import ErrorCode, RequestError
from proto.requests.groups import (
    GroupDissolve,
    GroupInvite,
    GroupKick,
    GroupLeave,
    GroupMute,
    GroupRequest,
    GroupRole,
    GroupTransfer,
    GroupUpdate,
)

OWNER, ADMIN, MEMBER = "owner", "admin", "member"
_RANK = {MEMBER: 0, ADMIN: 1, OWNER: 2}

MAY: dict[type[GroupRequest], tuple[str, ...]] = {
    GroupUpdate: (OWNER, ADMIN),
    GroupInvite: (OWNER, ADMIN, MEMBER),
    GroupLeave: (ADMIN, MEMBER),
    GroupKick: (OWNER, ADMIN),
    GroupRole: (OWNER,),
    GroupMute: (OWNER, ADMIN),
    GroupTransfer: (OWNER,),
    GroupDissolve: (OWNER,),
}
"""The roles that may make each request that changes a group."""


def check_role(request: GroupRequest, role: str) -> None:
    """Raise `RequestError` `forbidden` unless a member in `role` may make this request."""
    allowed = MAY[type(request)]
    if role in allowed:
        return
    if role == OWNER:
        raise _forbidden("conv: the owner transfers the group first, or dissolves it")
    raise _forbidden(f"{OP_OF[type(request)]}: only for {' and '.join(allowed)}, not for {role}")


def check_below(asker: Member, target: Member, field: str) -> None:
    """Raise `RequestError` `forbidden` unless `target`, whom `field` names, is below `asker`."""
    if _RANK[target.role] >= _RANK[asker.role]:
        raise _forbidden(
            f"{field}: {target.uid} is {target.role}, and you, {asker.role}, may act only on those"
            " below",
            field,
        )


def check_room(group: Group, more: int, most: int) -> None:
    """Raise `RequestError` `full` where the group would have more than `most` members."""
    if group.member_count + more > most:
        raise RequestError(
            ErrorCode.FULL,
            f"uids: the group has {group.member_count} members and may have {most}, so no {more}"
            " more",
            field="uids",
        )


def _forbidden(message: str, field: str = "") -> RequestError:
    return RequestError(ErrorCode.FORBIDDEN, message, field=field)
