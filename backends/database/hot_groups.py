"""Hot groups: which of their messages are on the hot stream, and what speaks for a switch."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)

from backends.database.appending import Appended, NewMessage, append, lock_heads
from backends.database.dialects import insert_or
from backends.database.schema import (
    conversations,
    devices,
    diffusions,
    groups,
    hot_cursors,
    hot_spans,
    members,
    messages,
    sessions,
)
from proto.im_frames import MessageKind


class Activity(NamedTuple):
    """What a group is like: `ts_ms` are when the messages `back[0]` and `back[1]` before its last
    one were sent, 0 where it has not so many. `hot` is how its next message will go."""

    conv: str
    hot: bool
    members: int
    tagged: bool
    ts_ms: tuple[int, int]


def read_activity(
    connection: Connection, convs: Sequence[str], back: tuple[int, int]
) -> list[Activity]:
    """Return what speaks for and against a switch of those of `convs` that are groups, and not
    dissolved."""
    c, g = conversations.c, groups.c
    sent = [_sent(bindparam(name, type_=BigInteger)) for name in ("back", "further_back")]
    query = (
        select(c.conv, c.hot, g.member_count, g.tagged_hot, *sent)
        .join(groups, g.conv == c.conv)
        .where(c.conv.in_(convs), ~g.dissolved)
    )
    rows = connection.execute(query, {"back": back[0], "further_back": back[1]})
    return [
        Activity(conv, hot, count, tagged, (near or 0, far or 0))
        for conv, hot, count, tagged, near, far in rows
    ]


def _sent(back: ColumnElement[int]) -> ColumnElement[int]:
    m = messages.c
    seq = conversations.c.last_seq - back
    return select(m.ts).where(m.conv == conversations.c.conv, m.seq == seq).scalar_subquery()


def switch(connection: Connection, conv: str, hot: bool, now_ms: int) -> Appended | None:
    """Append the message after which `conv` goes the other way; `None` if it does already."""
    head = lock_heads(connection, [conv])[conv]
    where = conversations.c.conv == conv
    if connection.execute(select(conversations.c.hot).where(where)).scalar_one() == hot:
        return None
    kind = MessageKind.HOT if hot else MessageKind.COOL
    fence = NewMessage(conv, "", "", kind, f"{kind}-{head.seq + 1}", b"{}", counted=False)
    (appended,) = append(connection, [fence], now_ms)
    connection.execute(update(conversations).where(where).values(hot=hot))
    return appended


def begin_span(connection: Connection, conv: str, first: int) -> None:
    """Note that the messages from `first` on are on the hot stream, in all members' sessions
    too."""
    connection.execute(insert(hot_spans).values(conv=conv, first=first, last=0))
    connection.execute(_sessions_of_members(conv).values(hot=True))
    start_cursors(connection, conv, first - 1, devices.c.uid.in_(_members_of(conv)))


def start_cursors(connection: Connection, conv: str, seq: int, whose: ColumnElement[bool]) -> None:
    """Let the devices `whose` have the hot stream up to `seq`, where they have no place in it yet:
    one that is away goes on from there when it comes back."""
    d = devices.c
    rows = select(d.uid, d.device, literal(conv), literal(seq)).where(whose)
    into = insert_or(connection, hot_cursors).from_select(["uid", "device", "conv", "seq"], rows)
    connection.execute(into.on_conflict_do_nothing())


def end_span(connection: Connection, conv: str, last: int, total: int, ts_ms: int) -> None:
    """Note that the hot stream ends with message `last`, which becomes the last one of all
    members' sessions."""
    s = hot_spans.c
    connection.execute(update(hot_spans).where(s.conv == conv, s.last == 0).values(last=last))
    newest = {"last_seq": last, "last_count": total, "last_ts": ts_ms}
    connection.execute(_sessions_of_members(conv).values(hot=False, **newest))


def _members_of(conv: str) -> Select[tuple[str]]:
    return select(members.c.uid).where(members.c.conv == conv)


def _sessions_of_members(conv: str) -> Update:
    return update(sessions).where(sessions.c.conv == conv, sessions.c.uid.in_(_members_of(conv)))


def open_spans(connection: Connection, after: str, most: int) -> list[str]:
    """Return groups whose hot stream goes on, in order after `after`."""
    s = hot_spans.c
    query = select(s.conv).where(s.last == 0, s.conv > after).order_by(s.conv).limit(most)
    return list(connection.execute(query).scalars())


def in_span() -> ColumnElement[bool]:
    """Return the condition that a message is on its group's hot stream."""
    s, m = hot_spans.c, messages.c
    until = or_(s.last == 0, m.seq <= s.last)
    return exists().where(and_(s.conv == m.conv, s.first <= m.seq, until))


def read_hot_heads(connection: Connection, convs: Sequence[str]) -> dict[str, int]:
    """Return the last number of each hot stream: the last message that went on it."""
    d, s = diffusions.c, hot_spans.c
    query = (
        select(s.conv, s.last, d.seq)
        .join(diffusions, d.conv == s.conv)
        .where(s.conv.in_(convs))
        .order_by(s.conv, s.first)
    )
    return {conv: last or seq for conv, last, seq in connection.execute(query)}
