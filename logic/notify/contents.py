"""What a notification tells: the message, the group's name and the number on the app's badge."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, select

from backends.database.schema import conversations, groups, messages, sessions
from backends.push.interface import Notification
from logic.notify.facts import Facts
from logic.notify.rows import Token
from logic.notify.wording import Words, words
from proto.conversations import message_id
from proto.im_frames import MessageKind

MAX_SESSIONS = 2000
"""Sessions of a user that are counted for its badge."""
MAX_BADGE = 9999


@dataclass(frozen=True, slots=True)
class Content:
    """A message as a user is told of it; without `words` nothing is shown."""

    uid: str
    conv: str
    seq: int
    kind: str
    ts_ms: int
    words: Words | None
    badge: int

    def to(self, token: Token, quiet: bool) -> Notification:
        """Return the notification for one device."""
        shown = self.words or Words("", "")
        return Notification(
            token=token.token,
            uid=self.uid,
            device=token.device,
            id=message_id(self.conv, self.seq),
            conv=self.conv,
            seq=self.seq,
            kind=self.kind,
            ts_ms=self.ts_ms,
            title="" if quiet else shown.title,
            body="" if quiet else shown.body,
            badge=self.badge,
            quiet=quiet or self.words is None,
        )


def read_content(connection: Connection, facts: Facts) -> Content | None:
    """Return what the user is told: of the row's message or, where that was taken back, of the
    newest before it that the user has not read (one's own count as read); `None` where nothing is
    left."""
    row, m = facts.row, messages.c
    query = (
        select(m.seq, m.kind, m.sender, m.name, m.ts, m.body)
        .where(m.conv == row.conv, m.seq <= row.seq, m.seq > facts.read_seq)
        .where(m.recalled.is_(False), m.kind != MessageKind.RECALL)
        .order_by(m.seq.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    if found is None:
        return None
    seq, kind, sender, name, ts, body = found
    told = words(kind, name or sender, _group(connection, row.conv), body)
    return Content(row.uid, row.conv, seq, kind, ts, told, unread(connection, row.uid))


def unread(connection: Connection, uid: str) -> int:
    """Return how many messages `uid` has not read, in all its sessions."""
    s, c = sessions.c, conversations.c
    last = case((s.hot, func.coalesce(c.last_count, s.last_count)), else_=s.last_count)
    some = (
        select((last - s.read_count).label("unread"))
        .select_from(sessions.outerjoin(conversations, and_(s.hot, c.conv == s.conv)))
        .where(s.uid == uid, s.left.is_(False))
        .limit(MAX_SESSIONS)
        .subquery()
    )
    total = func.sum(case((some.c.unread > 0, some.c.unread), else_=0))
    return min(int(connection.execute(select(total)).scalar() or 0), MAX_BADGE)


def _group(connection: Connection, conv: str) -> str:
    found = connection.execute(select(groups.c.name).where(groups.c.conv == conv)).first()
    return found[0] if found else ""
