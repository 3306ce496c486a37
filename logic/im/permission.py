"""Who may do what in a conversation, by how it stands to it. Pure."""

from backends.database.standings import Membership, Standings
from logic.im.said import bad
from proto.conversations import ConversationKind, kind_of
from proto.errors import ErrorCode, RequestError


def to_say(conv: str, uid: str, standings: Standings, now_ms: int) -> RequestError | None:
    """Return why `uid`, whom the id lets be in `conv`, may not say anything there, or `None`."""
    if kind_of(conv) is ConversationKind.DIRECT:
        return None if conv in standings.friends else RequestError(ErrorCode.NOT_FRIENDS)
    member = standings.members.get((conv, uid))
    if member is None or not member.present:
        return RequestError(ErrorCode.NOT_MEMBER)
    return _muted(member, now_ms)


def to_mention_all(conv: str, uid: str, standings: Standings) -> RequestError | None:
    """Return why `uid` may not mention everybody in `conv`, or `None`."""
    member = standings.members.get((conv, uid))
    if member is not None and member.leads:
        return None
    return bad("mention_all", "only the owner and the admins of a group mention everybody")


def _muted(member: Membership, now_ms: int) -> RequestError | None:
    until = member.muted_until
    if not member.leads:
        until = max(until, member.all_muted_until)
    if until <= now_ms:
        return None
    wait_ms = until - now_ms
    return RequestError(ErrorCode.MUTED, f"muted for {wait_ms} ms more", retry_after_ms=wait_ms)
