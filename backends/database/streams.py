"""Reading streams: mailboxes, and the hot streams of groups."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, select

from backends.database.dialects import TEXT, as_rows, columns
from backends.database.diffusing import Stored
from backends.database.hot_groups import in_span, read_hot_heads
from backends.database.schema import mailbox, mailboxes, members, messages, sessions

MESSAGE: Sequence[ColumnElement[Any]] = tuple(
    messages.c[name]
    for name in ("conv", "seq", "sender", "name", "kind", "mid", "ts", "count", "recalled", "body")
)
"""The columns of a `Stored`."""


class Numbered(NamedTuple):
    """A message as number `n` of a stream."""

    n: int
    message: Stored


class HotStand(NamedTuple):
    """A hot stream as a member sees it: the last number, and the oldest that is for it."""

    head: int
    oldest: int


def read_mailbox_stand(connection: Connection, uid: str) -> tuple[int, int]:
    """Return the head and the oldest number of a mailbox: (0, 1) where nothing came yet."""
    m = mailboxes.c
    row = connection.execute(select(m.head, m.oldest).where(m.uid == uid)).first()
    return (row.head, row.oldest) if row else (0, 1)


def read_heads(connection: Connection, uids: Sequence[str]) -> dict[str, int]:
    """Return the heads of those mailboxes that are there."""
    if not uids:
        return {}
    rows = connection.execute(_heads(connection.dialect.name), as_rows([(uid,) for uid in uids]))
    return {row.uid: row.head for row in rows}


@cache
def _heads(dialect: str) -> Select[tuple[str, int]]:
    asked = select(*columns(dialect, TEXT))
    m = mailboxes.c
    return select(m.uid, m.head).where(m.uid.in_(asked))


def read_mailbox(connection: Connection, uid: str, since: int, limit: int) -> list[Numbered]:
    """Return at most `limit` messages after number `since`, ascending."""
    b, m = mailbox.c, messages.c
    query = (
        select(b.n, *MESSAGE)
        .join(messages, (m.conv == b.conv) & (m.seq == b.seq))
        .where(b.uid == uid, b.n > since)
        .order_by(b.n)
        .limit(limit)
    )
    return [Numbered(n, Stored._make(rest)) for n, *rest in connection.execute(query)]


def read_hot_stand(connection: Connection, conv: str, uid: str) -> HotStand | None:
    """Return how the hot stream of `conv` stands for `uid`, who may have left: then it ends there.
    `None` if it was never a member. The stream begins where the user came in, also where the
    diffusion has not come to that yet, or the group was never hot."""
    m, s = members.c, sessions.c
    query = select(m.joined_seq, m.left_seq).where(m.conv == conv, m.uid == uid)
    # The row of a member that has left goes with the diffusion; its session stays.
    gone = select(s.joined_seq, s.last_seq).where(s.conv == conv, s.uid == uid, s.left)
    row = connection.execute(query).first() or connection.execute(gone).first()
    if row is None:
        return None
    joined_seq, last_seq = row
    head = max(read_hot_heads(connection, [conv]).get(conv, 0), joined_seq - 1)
    return HotStand(min(head, last_seq) if last_seq else head, max(1, joined_seq))


def read_hot(
    connection: Connection, conv: str, first: int, last: int, limit: int
) -> list[Numbered]:
    """Return at most `limit` messages of the hot stream from number `first` to `last`."""
    m = messages.c
    query = (
        select(*MESSAGE)
        .where(m.conv == conv, m.seq >= first, m.seq <= last, in_span())
        .order_by(m.seq)
        .limit(limit)
    )
    return [Numbered(row.seq, Stored._make(row)) for row in connection.execute(query)]
