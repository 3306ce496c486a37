"""The session list in SQL: one query merges a user's own rows with the heads of its hot groups."""

from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from backends.database.dialects import insert_or
from backends.database.schema import contacts, conversations, groups, messages, sessions

Row = dict[str, Any]


class Position(NamedTuple):
    """Where a session stands in the list: pinned ones first, then the latest, then by id."""

    pinned: bool
    last_ts: int
    conv: str


def page(connection: Connection, uid: str, after: Position | None, limit: int) -> list[Any]:
    """Return at most `limit` sessions of `uid` after a position, in order, as rows.

    A row has the columns of `sessions`, `last_*` as they are now, and (None where there is none)
    the group's `group_name` and `group_dissolved`, and the last message's columns, which begin
    with `message_`.
    """
    values: Row = {"uid": uid, "limit": limit}
    if after is None:
        return list(connection.execute(_FIRST, values))
    values |= {"pinned": after.pinned, "ts": after.last_ts, "conv": after.conv}
    return list(connection.execute(_NEXT, values))


def bare_first_page(connection: Connection, uid: str, limit: int) -> tuple[str, Any]:
    """Return the statement of a first page and its values, as the driver takes them."""
    compiled = _FIRST.compile(dialect=connection.dialect)
    values = compiled.construct_params({"uid": uid, "limit": limit})
    if compiled.positiontup is None:
        return compiled.string, values
    return compiled.string, [values[name] for name in compiled.positiontup]


def change(
    connection: Connection, uid: str, conv: str, changes: Row, *, hidden: bool | None
) -> bool:
    """Set what `changes` names in the session of `uid`, and hide it or bring it back.

    Returns false where there is no such session. One with a friend is made: nobody need have said
    anything in it.
    """
    values = dict(changes)
    if hidden is not None:
        values["hidden_seq"] = _LAST_SEQ_NOW if hidden else 0
    asked = update(sessions).where(sessions.c.uid == uid, sessions.c.conv == conv).values(values)
    return bool(connection.execute(asked).rowcount)


def make_for_friends(connection: Connection, uid: str, conv: str, other: str) -> None:
    """Make the session of the chat `conv` of `uid` and `other`, if they are friends."""
    asked = select(contacts.c.state).where(contacts.c.uid == uid, contacts.c.other == other)
    if connection.scalar(asked) == "friend":
        row = {"uid": uid, "conv": conv}
        connection.execute(insert_or(connection, sessions).on_conflict_do_nothing(), [row])


def marks(connection: Connection, uid: str, conv: str) -> Any:
    """Return `muted`, `pinned` and `hidden` of a session that is there."""
    s = sessions.c
    hidden = and_(s.hidden_seq > 0, s.hidden_seq >= _LAST_SEQ_NOW).label("hidden")
    return connection.execute(
        select(s.muted, s.pinned, hidden).where(s.uid == uid, s.conv == conv)
    ).one()


_s, _c, _m, _g = sessions.c, conversations.c, messages.c, groups.c
_IS_HOT = and_(_s.hot, ~_s.left)
"""Whether the group's head counts: of one that was left, what the user got last."""
_LAST_SEQ_NOW = case(
    (_IS_HOT, select(_c.last_seq).where(_c.conv == _s.conv).scalar_subquery()), else_=_s.last_seq
)


def _statement(*, after: bool) -> Select[Any]:
    found = _listed(after=after).cte("page")
    p = found.c
    joined = found.outerjoin(messages, and_(_m.conv == p.conv, _m.seq == p.last_seq)).outerjoin(
        groups, _g.conv == p.conv
    )
    said = [column.label(f"message_{column.name}") for column in _MESSAGE]
    ordered = (p.pinned.desc(), p.last_ts.desc(), p.conv)
    group = (_g.name.label("group_name"), _g.dissolved.label("group_dissolved"))
    return select(found, *group, *said).select_from(joined).order_by(*ordered)


_MESSAGE = (_m.seq, _m.sender, _m.name, _m.kind, _m.mid, _m.ts, _m.recalled, _m.body)


def _listed(*, after: bool) -> Select[Any]:
    # Only a hot group's head is looked up: nothing equals NULL.
    heads = sessions.outerjoin(conversations, _c.conv == case((_IS_HOT, _s.conv)))
    last_seq = func.coalesce(_c.last_seq, _s.last_seq)
    last_ts = func.coalesce(_c.last_ts, _s.last_ts)
    own = (_s.conv, _s.read_seq, _s.read_count, _s.peer_read_seq, _s.muted, _s.pinned, _s.left)
    query = select(
        *own,
        _IS_HOT.label("hot"),
        last_seq.label("last_seq"),
        func.coalesce(_c.last_count, _s.last_count).label("last_count"),
        last_ts.label("last_ts"),
    ).select_from(heads)
    query = query.where(_s.uid == bindparam("uid"), last_seq > _s.hidden_seq)
    if after:
        query = query.where(_follows(last_ts))
    ordered = query.order_by(_s.pinned.desc(), last_ts.desc(), _s.conv)
    return ordered.limit(bindparam("limit", type_=Integer))


def _follows(last_ts: Any) -> Any:
    pinned = bindparam("pinned", type_=Boolean)
    ts, conv = bindparam("ts", type_=BigInteger), bindparam("conv", type_=_s.conv.type)
    later = or_(last_ts < ts, and_(last_ts == ts, _s.conv > conv))
    return or_(_s.pinned < pinned, and_(_s.pinned == pinned, later))


_FIRST, _NEXT = _statement(after=False), _statement(after=True)
