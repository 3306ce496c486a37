"""What diffusion reads and writes; `logic.mailbox` decides what.

Locks are taken in one order by all: `diffusions` by conversation, `mailboxes` by user, `sessions`
by user and conversation. Each function is one statement for everything that a transaction does.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    bindparam,
    case,
    delete,
    exists,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import ReturningInsert

from backends.database.dialects import NUMBER, TEXT, as_rows, columns, insert_into
from backends.database.schema import (
    devices,
    diffusions,
    groups,
    mailbox,
    mailboxes,
    members,
    messages,
    notifications,
    outbox,
    sessions,
)


class Cursor(NamedTuple):
    """Up to which message a conversation is diffused, and whether what follows is hot."""

    seq: int
    hot: bool


class Stored(NamedTuple):
    """A message as the database has it; `ts_ms` is Unix milliseconds, `body` a JSON object, `total`
    the conversation's count at this message."""

    conv: str
    seq: int
    sender: str
    name: str
    kind: str
    mid: str
    ts_ms: int
    total: int
    recalled: bool
    body: bytes


class Member(NamedTuple):
    """Who gets a group's messages: from `joined_seq` on, up to `left_seq` unless that is 0."""

    uid: str
    joined_seq: int
    left_seq: int


class Mailbox(NamedTuple):
    """The last number of a mailbox and the oldest that it still has."""

    head: int
    oldest: int


class Touch(NamedTuple):
    """A session's newest message."""

    uid: str
    conv: str
    seq: int
    total: int
    ts_ms: int


class Notice(NamedTuple):
    """A message that may have to be notified of: number `n` of the mailbox, 0 of a hot group."""

    uid: str
    conv: str
    seq: int
    n: int
    mentioned: bool


def lock(connection: Connection, convs: Sequence[str]) -> dict[str, Cursor]:
    """Return the cursors of those of `convs` that are there, and hold them until the transaction
    ends: nobody else diffuses these conversations meanwhile."""
    d = diffusions.c
    query = select(d.conv, d.seq, d.hot).where(d.conv.in_(convs)).order_by(d.conv)
    rows = connection.execute(query.with_for_update())
    return {conv: Cursor(seq, hot) for conv, seq, hot in rows}


def read_new(connection: Connection, convs: Sequence[str], each: int, most: int) -> list[Stored]:
    """Return what is not diffused yet, in order: at most `each` of a conversation, `most` in
    all."""
    m, d = messages.c, diffusions.c
    query = (
        select(m.conv, m.seq, m.sender, m.name, m.kind, m.mid, m.ts, m.count, m.recalled, m.body)
        .join(diffusions, d.conv == m.conv)
        .where(d.conv.in_(convs), m.seq > d.seq, m.seq <= d.seq + bindparam("each"))
        .order_by(m.conv, m.seq)
        .limit(bindparam("most"))
    )
    rows = connection.execute(query, {"each": each, "most": most})
    return [Stored._make(row) for row in rows]


def read_sizes(connection: Connection, convs: Sequence[str]) -> dict[str, int]:
    """Return about how many rows a message to each group takes: its members; where it is hot,
    one."""
    if not convs:
        return {}
    g, d = groups.c, diffusions.c
    size = case((d.hot, 1), else_=g.member_count).label("size")
    query = select(g.conv, size).join(diffusions, d.conv == g.conv).where(g.conv.in_(convs))
    return {row.conv: row.size for row in connection.execute(query)}


def read_reachable(connection: Connection, uids: Iterable[str]) -> set[str]:
    """Return those of `uids` who have a device to be notified on."""
    rows = [(uid,) for uid in uids]
    if not rows:
        return set()
    reachable = _reachable(connection.dialect.name)
    return {row.uid for row in connection.execute(reachable, as_rows(rows))}


def read_members(connection: Connection, convs: Sequence[str]) -> dict[str, list[Member]]:
    """Return the members of each group, also those that have left and may still get something."""
    found: dict[str, list[Member]] = {conv: [] for conv in convs}
    if not convs:
        return found
    m = members.c
    query = select(m.conv, m.uid, m.joined_seq, m.left_seq).where(m.conv.in_(convs))
    for conv, *member in connection.execute(query):
        found[conv].append(Member._make(member))
    return found


def raise_heads(connection: Connection, counts: Mapping[str, int]) -> dict[str, Mailbox]:
    """Raise each user's head by its count, and return what the mailboxes are now; they are held
    until the transaction ends."""
    if not counts:
        return {}
    rows = connection.execute(
        _raise_heads(connection.dialect.name), as_rows(sorted(counts.items()))
    )
    return {uid: Mailbox(head, oldest) for uid, head, oldest in rows}


def put(connection: Connection, rows: Sequence[tuple[str, int, str, int]]) -> None:
    """Put messages into mailboxes: (uid, n, conv, seq)."""
    if rows:
        connection.execute(_put(connection.dialect.name), as_rows(rows))


def touch_sessions(connection: Connection, touched: Iterable[Touch]) -> None:
    """Move the sessions to their newest messages, and never back; those that are missing are
    made."""
    if rows := sorted(touched):
        connection.execute(_touch(connection.dialect.name), as_rows(rows))


def notify(connection: Connection, notices: Iterable[Notice], due_ms: int) -> None:
    """Let those be notified at `due_ms`. A notification that waits already moves to the newest
    message and keeps its time."""
    rows = [(*notice[:4], int(notice.mentioned)) for notice in sorted(notices)]
    if rows:
        connection.execute(_notify(connection.dialect.name), as_rows(rows) | {"due": due_ms})


def move(connection: Connection, cursors: Mapping[str, Cursor]) -> None:
    """Move the cursors, which this transaction holds, and empty the
    outbox up to them."""
    if not cursors:
        return
    rows = [(conv, cursor.seq, int(cursor.hot)) for conv, cursor in sorted(cursors.items())]
    connection.execute(_move(connection.dialect.name), as_rows(rows))
    connection.execute(_EMPTY_OUTBOX, {"convs": list(cursors)})


def forget_left(connection: Connection, convs: Sequence[str]) -> None:
    """Delete the members of groups that have left and have got all that is theirs."""
    if convs:
        connection.execute(_FORGET_LEFT, {"convs": convs})


@cache
def _reachable(dialect: str) -> Select[tuple[str]]:
    asked = select(*columns(dialect, TEXT))
    return select(devices.c.uid).where(devices.c.uid.in_(asked), devices.c.token != "")


@cache
def _raise_heads(dialect: str) -> ReturningInsert[Any]:
    uid, count = columns(dialect, TEXT, NUMBER)
    rows = select(uid, count, literal(1)).where(true())
    into = insert_into(dialect, mailboxes).from_select(["uid", "head", "oldest"], rows)
    head = mailboxes.c.head + into.excluded.head
    raised = into.on_conflict_do_update(index_elements=["uid"], set_={"head": head})
    return raised.returning(mailboxes.c.uid, mailboxes.c.head, mailboxes.c.oldest)


@cache
def _put(dialect: str) -> sqlite.Insert:
    rows = select(*columns(dialect, TEXT, NUMBER, TEXT, NUMBER))
    return insert_into(dialect, mailbox).from_select(["uid", "n", "conv", "seq"], rows)


@cache
def _touch(dialect: str) -> sqlite.Insert:
    names = ["uid", "conv", "last_seq", "last_count", "last_ts"]
    rows = select(*columns(dialect, TEXT, TEXT, NUMBER, NUMBER, NUMBER)).where(true())
    into = insert_into(dialect, sessions).from_select(names, rows)
    newest = {name: into.excluded[name] for name in names[2:]}
    is_newer = into.excluded.last_seq > sessions.c.last_seq
    return into.on_conflict_do_update(index_elements=["uid", "conv"], set_=newest, where=is_newer)


@cache
def _notify(dialect: str) -> sqlite.Insert:
    uid, conv, seq, n, mentioned = columns(dialect, TEXT, TEXT, NUMBER, NUMBER, NUMBER)
    # In a hot group whoever is named may be nobody of it; of a mailbox that is known.
    present = exists().where(members.c.conv == conv, members.c.uid == uid, members.c.left_seq == 0)
    due = bindparam("due", type_=NUMBER)
    rows = select(uid, conv, seq, n, due, literal(0), mentioned == 1).where(or_(n > 0, present))
    names = ["uid", "conv", "seq", "n", "due", "attempts", "mentioned"]
    into = insert_into(dialect, notifications).from_select(names, rows)
    newest = {
        "seq": into.excluded.seq,
        "n": into.excluded.n,
        "mentioned": or_(notifications.c.mentioned, into.excluded.mentioned),
    }
    return into.on_conflict_do_update(index_elements=["uid", "conv"], set_=newest)


@cache
def _move(dialect: str) -> sqlite.Insert:
    conv, seq, hot = columns(dialect, TEXT, NUMBER, NUMBER)
    rows = select(conv, seq, hot == 1, literal(0)).where(true())
    into = insert_into(dialect, diffusions).from_select(["conv", "seq", "hot", "failures"], rows)
    moved = {name: into.excluded[name] for name in ("seq", "hot", "failures")}
    return into.on_conflict_do_update(index_elements=["conv"], set_=moved)


_CONVS: BindParameter[str] = bindparam("convs", expanding=True)


def _cursor_of(conv: object) -> Select[tuple[int]]:
    return select(diffusions.c.seq).where(diffusions.c.conv == conv)


_EMPTY_OUTBOX = delete(outbox).where(
    outbox.c.conv.in_(_CONVS),
    outbox.c.seq <= _cursor_of(outbox.c.conv).scalar_subquery(),
)
_FORGET_LEFT = delete(members).where(
    members.c.conv.in_(_CONVS),
    members.c.left_seq > 0,
    members.c.left_seq <= _cursor_of(members.c.conv).scalar_subquery(),
)
