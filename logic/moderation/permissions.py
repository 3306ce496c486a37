"""Who may what in a room: the table of docs/moderation.md as one function."""

from collections.abc import Mapping

from proto.errors import ErrorCode, RequestError
from proto.moderation import Action
from proto.roles import HOST, MODERATOR, VIEWER, rank

LOWEST: Mapping[str, str] = {
    "chat": VIEWER,
    "gift": VIEWER,
    "like": VIEWER,
    "speech": HOST,
    Action.MUTE: MODERATOR,
    Action.UNMUTE: MODERATOR,
    Action.BAN: MODERATOR,
    Action.UNBAN: MODERATOR,
    Action.KICK: MODERATOR,
    Action.SLOW: MODERATOR,
    Action.UNSLOW: MODERATOR,
    Action.GRANT: HOST,
    Action.REVOKE_ROLE: HOST,
}
"""The lowest role that may do each thing."""


def require(role: str, action: str, *, of: str = "", granted: str = "") -> None:
    """Raise `RequestError` `forbidden`, unless `role` may do `action`.

    `of` is the role of the user whom it is done to, `granted` the role that is given: both must
    stand below.
    """
    if rank(role) < rank(LOWEST[action]):
        field = "action" if action in list(Action) else "op"
        raise _forbidden(field, f"{action} is for a {LOWEST[action]} of the room")
    if of and rank(of) >= rank(role):
        raise _forbidden("uid", f"a {role} can't do this to a {of}")
    if granted and rank(granted) >= rank(role):
        raise _forbidden("role", f"a {role} can't make somebody a {granted}")


def _forbidden(field: str, reason: str) -> RequestError:
    return RequestError(ErrorCode.FORBIDDEN, f"{field}: {reason}", field=field)
