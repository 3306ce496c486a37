"""Members of groups, in the caller's transaction, which holds the group (`groups.lock_group`).

At most a request's worth of rows is read or written at once, however many members a group has.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from backends.database.appending import Appended
from backends.database.dialects import TEXT, as_rows, columns, insert_or
from backends.database.schema import members, sessions


class Member(NamedTuple):
    """A member, or one that has left (`left_seq` > 0) until that is in the mailboxes."""

    uid: str
    role: str
    joined_seq: int
    left_seq: int
    muted_until: int


def read_members(connection: Connection, conv: str, uids: Collection[str]) -> dict[str, Member]:
    """Return those of `uids` that are members of `conv`, or have just left."""
    statement = _named_members(connection.dialect.name)
    rows = connection.execute(statement, as_rows([[uid] for uid in sorted(uids)]) | {"its": conv})
    return {row.uid: Member(*row) for row in rows if row.role is not None}


def page_of_members(connection: Connection, conv: str, after: str, limit: int) -> Sequence[Member]:
    """Return at most `limit` members, by uid, after the one named."""
    m = members.c
    query = _members(conv).where(m.uid > after, m.left_seq == 0).order_by(m.uid).limit(limit)
    return [Member(*row) for row in connection.execute(query)]


def add_members(
    connection: Connection, told: Appended, role_of: Mapping[str, str], *, hot: bool
) -> None:
    """Let users in with the message `told`, the first that they get.

    Their sessions begin there, with nothing unread: also those of who was there before.
    """
    conv, seq = told.conv, told.seq
    uids = sorted(role_of)
    rows = [{"conv": conv, "uid": uid, "role": role_of[uid], "joined_seq": seq} for uid in uids]
    _upsert(connection, members, rows, left_seq=0, muted_until=0)
    begun = {
        "conv": conv,
        "hot": hot,
        "joined_seq": seq,
        "last_seq": seq,
        "last_count": told.count,
        "last_ts": told.ts_ms,
        "read_seq": seq - 1,
        "read_count": told.count,
    }
    _upsert(connection, sessions, [{"uid": uid, **begun} for uid in uids], left=False)


def remove_members(connection: Connection, told: Appended, uids: Iterable[str]) -> None:
    """Let members out with the message `told`, the last that they get and the last of their
    sessions: those of a hot group do not follow it message by message."""
    names = sorted(uids)
    last = {"seq": told.seq, "counted": told.count, "ts_ms": told.ts_ms}
    # One by one by the whole key: for a list PostgreSQL may go through all members of a group.
    connection.execute(_REMOVE, [{"its": told.conv, "who": uid, "seq": told.seq} for uid in names])
    connection.execute(_LEAVE, [{"its": told.conv, "who": uid, **last} for uid in names])


def change_member(connection: Connection, conv: str, uid: str, **values: Any) -> None:
    """Set columns of a member."""
    m = members.c
    connection.execute(update(members).where(m.conv == conv, m.uid == uid).values(values))


def has_left(connection: Connection, conv: str, uid: str) -> bool:
    """Say whether `uid` was in the group once and is not now."""
    s = sessions.c
    query = select(s.left).where(s.uid == uid, s.conv == conv)
    return bool(connection.execute(query).scalar())


_REMOVE = (
    update(members)
    .where(members.c.conv == bindparam("its"), members.c.uid == bindparam("who"))
    .values(left_seq=bindparam("seq"))
)
_LEAVE = (
    update(sessions)
    .where(sessions.c.conv == bindparam("its"), sessions.c.uid == bindparam("who"))
    .values(
        left=True,
        last_seq=bindparam("seq"),
        last_count=bindparam("counted"),
        last_ts=bindparam("ts_ms"),
    )
)


@cache
def _named_members(dialect: str) -> Select[Any]:
    """Look each user up by the whole key: for a list of them PostgreSQL, which expects groups to be
    small, goes through all members."""
    m, named = members.c, select(columns(dialect, TEXT)[0].label("uid")).subquery("named")
    is_it = and_(m.conv == bindparam("its"), m.uid == named.c.uid)
    columns_of_it = (m.role, m.joined_seq, m.left_seq, m.muted_until)
    looked_up = [
        select(each).where(is_it).correlate(named).scalar_subquery().label(each.name)
        for each in columns_of_it
    ]
    return select(named.c.uid, *looked_up)


def _members(conv: str) -> Any:
    m = members.c
    return select(m.uid, m.role, m.joined_seq, m.left_seq, m.muted_until).where(m.conv == conv)


def _upsert(connection: Connection, table: Any, rows: list[dict[str, Any]], **same: Any) -> None:
    """Insert rows, or set what they name where they are there already."""
    rows = [row | same for row in rows]
    insert = insert_or(connection, table)
    keys = list(table.primary_key.columns)
    newest = {name: insert.excluded[name] for name in rows[0] if name not in ("conv", "uid")}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=newest), rows)
