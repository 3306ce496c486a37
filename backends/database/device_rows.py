"""Devices: how far each has its streams, when it was seen last, and how many a user has."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects import sqlite

from backends.database.dialects import NUMBER, TEXT, as_rows, columns, insert_into, insert_or
from backends.database.hot_groups import read_hot_heads
from backends.database.schema import devices, hot_cursors, mailboxes, members, sessions


class HotPlace(NamedTuple):
    """A group of a user that is `hot`, or was: where its hot stream ends for this user, who may
    have `left`, and how far a device has it (`None`: it has not begun). Up to `before` it is none
    of the user's: it came later."""

    conv: str
    hot: bool
    head: int
    cursor: int | None
    left: bool = False
    before: int = 0


def note_device(connection: Connection, uid: str, device: str, now_ms: int) -> int | None:
    """Note that a device is there, and return its cursor; `None` for a new one."""
    d = devices.c
    where = and_(d.uid == uid, d.device == device)
    cursor = connection.execute(select(d.cursor).where(where)).scalar()
    into = insert_or(connection, devices).values(uid=uid, device=device, seen=now_ms)
    seen = {"seen": _more(d.seen, into.excluded.seen)}
    connection.execute(into.on_conflict_do_update(index_elements=["uid", "device"], set_=seen))
    return cursor


def bound_devices(connection: Connection, uid: str, device: str, most: int) -> None:
    """Forget devices of a user beyond `most`: first those without a push token, then those that
    were not seen for the longest; never `device`."""
    d = devices.c
    query = (
        select(d.device)
        .where(d.uid == uid)
        .order_by(d.device != device, d.token == "", d.seen.desc(), d.device)
        .offset(most)
    )
    surplus = list(connection.execute(query).scalars())
    for table in (devices, hot_cursors) if surplus else ():
        where = and_(table.c.uid == uid, table.c.device.in_(surplus))
        connection.execute(delete(table).where(where))


def set_cursor(connection: Connection, uid: str, device: str, cursor: int) -> None:
    """Set a new device's cursor to where it begins."""
    d = devices.c
    connection.execute(
        devices.update().where(d.uid == uid, d.device == device).values(cursor=cursor)
    )


def read_hot_places(
    connection: Connection, uid: str, device: str, said: Iterable[str] = ()
) -> list[HotPlace]:
    """Return the groups of the user that are hot, and those that were, whose streams `device` has
    begun, or has `said` that it has."""
    cursors = _hot_cursors(connection, uid, device)
    hot = _hot_sessions(connection, uid)
    asked = sorted({*hot, *cursors, *said})
    joined = _joined(connection, uid, asked) if asked else {}
    left = _left(connection, uid, asked) if asked else {}
    heads = read_hot_heads(connection, sorted({*joined, *left}))
    # The diffusion may not have come to where a group became hot, and the user be in it already.
    heads = dict.fromkeys(hot & joined.keys(), 0) | heads
    return [
        _place(conv, conv in hot, heads[conv], cursors.get(conv), joined.get(conv), left.get(conv))
        for conv in sorted(heads)
    ]


def _place(
    conv: str, hot: bool, head: int, cursor: int | None, joined: int | None, left: int | None
) -> HotPlace:
    if joined is not None:
        before = joined - 1
        return HotPlace(conv, hot, max(head, before), cursor, before=before)
    end = head if left is None else min(head, left)
    return HotPlace(conv, False, end, cursor, left=True)


def _hot_sessions(connection: Connection, uid: str) -> set[str]:
    s = sessions.c
    return set(connection.execute(select(s.conv).where(s.uid == uid, s.hot)).scalars())


def _joined(connection: Connection, uid: str, convs: Sequence[str]) -> dict[str, int]:
    """Return the groups that the user is in, and with which message it came."""
    m = members.c
    where = and_(m.conv.in_(convs), m.uid == uid, m.left_seq == 0)
    rows = connection.execute(select(m.conv, m.joined_seq).where(where))
    return {row.conv: row.joined_seq for row in rows}


def _left(connection: Connection, uid: str, convs: Sequence[str]) -> dict[str, int]:
    """Return the groups that the user was in, and the last message for it."""
    s = sessions.c
    where = and_(s.conv.in_(convs), s.uid == uid, s.left)
    rows = connection.execute(select(s.conv, s.last_seq).where(where))
    return {row.conv: row.last_seq for row in rows}


def _hot_cursors(connection: Connection, uid: str, device: str) -> dict[str, int]:
    h = hot_cursors.c
    query = select(h.conv, h.seq).where(h.uid == uid, h.device == device)
    return {row.conv: row.seq for row in connection.execute(query)}


def move_cursors(
    connection: Connection, cursors: Mapping[tuple[str, str], tuple[int, int]]
) -> None:
    """Move devices' cursors to (n, when seen) where they are behind that, and never beyond the
    mailbox's head. Devices that are not there stay away."""
    if cursors:
        rows = [(*key, *value) for key, value in sorted(cursors.items())]
        connection.execute(_move(connection.dialect.name), as_rows(rows))


def move_hot_cursors(connection: Connection, cursors: Mapping[tuple[str, str, str], int]) -> None:
    """The same for hot streams: (uid, device, conv) to the number."""
    if not cursors:
        return
    heads = read_hot_heads(connection, sorted({conv for _, _, conv in cursors}))
    rows: Sequence[tuple[str, str, str, int]] = [
        (*key, min(seq, heads[key[2]])) for key, seq in sorted(cursors.items()) if key[2] in heads
    ]
    if rows:
        connection.execute(_move_hot(connection.dialect.name), as_rows(rows))


@cache
def _move(dialect: str) -> sqlite.Insert:
    uid, device, n, seen = columns(dialect, TEXT, TEXT, NUMBER, NUMBER)
    rows = select(
        uid.label("uid"), device.label("device"), n.label("n"), seen.label("seen")
    ).subquery()
    d, b = devices.c, mailboxes.c
    head = func.coalesce(b.head, 0)
    taken = select(d.uid, d.device, _less(rows.c.n, head), rows.c.seen)
    known = taken.join_from(
        rows, devices, and_(d.uid == rows.c.uid, d.device == rows.c.device)
    ).join(mailboxes, b.uid == rows.c.uid, isouter=True)
    names = ["uid", "device", "cursor", "seen"]
    into = insert_into(dialect, devices).from_select(names, known.where(true()))
    moved = {name: _more(devices.c[name], into.excluded[name]) for name in ("cursor", "seen")}
    return into.on_conflict_do_update(index_elements=["uid", "device"], set_=moved)


@cache
def _move_hot(dialect: str) -> sqlite.Insert:
    uid, device, conv, seq = columns(dialect, TEXT, TEXT, TEXT, NUMBER)
    d = devices.c
    known = select(literal(1)).where(d.uid == uid, d.device == device).exists()
    names = ["uid", "device", "conv", "seq"]
    rows = select(uid, device, conv, seq).where(known)
    into = insert_into(dialect, hot_cursors).from_select(names, rows)
    moved = {"seq": _more(hot_cursors.c.seq, into.excluded.seq)}
    return into.on_conflict_do_update(index_elements=["uid", "device", "conv"], set_=moved)


def _more(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """Return the greater one: the databases have no function for it in common."""
    return case((one < other, other), else_=one)


def _less(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, other), else_=one)
