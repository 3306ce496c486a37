"""Groups: what they are, in the caller's transaction. Their members: `members.py`."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, insert, select, update

from backends.database.schema import conversations, diffusions, groups


class Group(NamedTuple):
    """A group, with the end of its conversation; times are Unix milliseconds."""

    conv: str
    name: str
    owner: str
    member_count: int
    muted_until: int
    dissolved: bool
    tagged_hot: bool
    created: int
    last_seq: int
    hot: bool


def read_group(connection: Connection, conv: str) -> Group | None:
    """Return a group, or `None` where there is none."""
    return _first(connection, _group(conv))


def lock_group(connection: Connection, conv: str) -> Group | None:
    """Return a group and hold it and its conversation until the transaction ends: what is decided
    on it holds, and message `last_seq` + 1 is the caller's."""
    return _first(connection, _group(conv).with_for_update())


def add_group(connection: Connection, group: Group) -> None:
    """Keep a new group; its conversation comes with its first message."""
    values = group._asdict()
    del values["last_seq"], values["hot"]
    connection.execute(insert(groups).values(values))


def change_group(connection: Connection, conv: str, **values: Any) -> None:
    """Set columns of a group."""
    connection.execute(update(groups).where(groups.c.conv == conv).values(values))


def diffused_seq(connection: Connection, conv: str) -> int:
    """Return up to which message the conversation is in the mailboxes."""
    query = select(diffusions.c.seq).where(diffusions.c.conv == conv)
    return connection.execute(query).scalar() or 0


def _group(conv: str) -> Select[Any]:
    g, c = groups.c, conversations.c
    columns = [g[name] for name in Group._fields[:-2]]
    query = select(*columns, c.last_seq, c.hot).join_from(groups, conversations, g.conv == c.conv)
    return query.where(g.conv == conv)


def _first(connection: Connection, query: Select[Any]) -> Group | None:
    row = connection.execute(query).first()
    return Group(*row) if row else None
