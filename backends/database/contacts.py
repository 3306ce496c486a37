"""Contacts: how two users stand to each other, in the caller's transaction."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, func, or_, select, true, tuple_

from backends.database.dialects import insert_or
from backends.database.schema import contacts


class Contact(NamedTuple):
    """How one user stands to another: see `schema.contacts`."""

    state: str = "none"
    blocked: bool = False


class Pair(NamedTuple):
    """How a user stands to another (`mine`), and the other to the user (`theirs`)."""

    mine: Contact
    theirs: Contact


class ContactRow(msgspec.Struct, frozen=True):
    """A user's contact; `ts` is when it became what it is, in Unix milliseconds."""

    uid: str
    state: str
    blocked: bool
    ts: int


def lock_pair(connection: Connection, uid: str, other: str) -> Pair:
    """Return how the two stand, and hold it until the transaction ends."""
    # Rows to hold are made first: two who ask each other at once must not both find nothing.
    ways = sorted(((uid, other), (other, uid)))
    rows = [{"uid": one, "other": two, "state": "none", "ts": 0} for one, two in ways]
    connection.execute(insert_or(connection, contacts).on_conflict_do_nothing(), rows)
    c = contacts.c
    query = select(c.uid, c.state, c.blocked).where(tuple_(c.uid, c.other).in_(ways))
    held = connection.execute(query.order_by(c.uid).with_for_update())
    found = {one: Contact(state, blocked) for one, state, blocked in held}
    return Pair(found.get(uid, Contact()), found.get(other, Contact()))


def put_pair(
    connection: Connection, uid: str, other: str, before: Pair, after: Pair, now_ms: int
) -> None:
    """Keep how the two stand after a change; nothing is kept of who is nothing to the other."""
    ways = (uid, other, before.mine, after.mine), (other, uid, before.theirs, after.theirs)
    rows = [
        {"uid": one, "other": two, "state": new.state, "blocked": new.blocked, "ts": now_ms}
        for one, two, old, new in sorted(ways)
        if new != old
    ]
    if rows:
        insert = insert_or(connection, contacts)
        columns = {name: insert.excluded[name] for name in ("state", "blocked", "ts")}
        keys = [contacts.c.uid, contacts.c.other]
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=columns), rows)
    _forget_nothings(connection, uid, other)


def count_by_state(connection: Connection, uid: str, other: str) -> dict[tuple[str, str], int]:
    """Return how many contacts in each state each of the two users has, by (uid, state)."""
    c = contacts.c
    query = select(c.uid, c.state, func.count()).where(c.uid.in_((uid, other)))
    counted = connection.execute(query.group_by(c.uid, c.state))
    return {(one, state): count for one, state, count in counted}


def page_of_contacts(connection: Connection, uid: str, after: str, limit: int) -> list[ContactRow]:
    """Return at most `limit` contacts of `uid`, by uid, after the one named."""
    c = contacts.c
    query = (
        select(c.other, c.state, c.blocked, c.ts)
        .where(c.uid == uid, c.other > after, or_(c.state != "none", c.blocked == true()))
        .order_by(c.other)
        .limit(limit)
    )
    return [ContactRow(*row) for row in connection.execute(query)]


def friends_among(connection: Connection, uid: str, others: Collection[str]) -> set[str]:
    """Return those of `others` who are friends of `uid`, with no block on either side."""
    c = contacts.c
    names = sorted(others)
    way = or_(
        and_(c.uid == uid, c.other.in_(names)),
        and_(c.uid.in_(names), c.other == uid),
    )
    query = select(c.uid, c.other).where(way, c.state == "friend", c.blocked != true())
    found = {(one, two) for one, two in connection.execute(query)}
    return {each for each in names if {(uid, each), (each, uid)} <= found}


def _forget_nothings(connection: Connection, uid: str, other: str) -> None:
    c = contacts.c
    ways = ((uid, other), (other, uid))
    nothing = and_(c.state == "none", c.blocked != true())
    connection.execute(delete(contacts).where(tuple_(c.uid, c.other).in_(ways), nothing))
