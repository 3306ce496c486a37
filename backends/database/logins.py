"""Logins: one user on one device, in the caller's transaction."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from backends.database.schema import logins


class Login(NamedTuple):
    """A row of `schema.logins`; times are Unix milliseconds."""

    uid: str
    sid: str
    device: str
    family: bytes
    token: bytes
    previous: bytes
    rotated: int
    created: int
    seen: int
    until: int


_COLUMNS = [logins.c[name] for name in Login._fields]


def add_login(connection: Connection, login: Login, most: int) -> list[str]:
    """Keep a new login; returns the `sid` of those that had to go, so that there are `most`."""
    c = logins.c
    connection.execute(delete(logins).where(c.uid == login.uid, c.until <= login.created))
    query = select(c.sid).where(c.uid == login.uid).order_by(c.seen.desc(), c.sid)
    ended = list(connection.scalars(query.offset(most - 1)))
    remove_logins(connection, login.uid, ended)
    connection.execute(insert(logins), login._asdict())
    return ended


def login_of(connection: Connection, family: bytes) -> Login | None:
    """Return the login with that family of refresh tokens, and hold it until the transaction
    ends."""
    query = select(*_COLUMNS).where(logins.c.family == family).with_for_update()
    row = connection.execute(query).first()
    return None if row is None else Login(*row)


def logins_of(connection: Connection, uid: str, now_ms: int) -> list[Login]:
    """Return the logins of `uid`, the one seen last first."""
    c = logins.c
    query = select(*_COLUMNS).where(c.uid == uid, c.until > now_ms)
    return [Login(*row) for row in connection.execute(query.order_by(c.seen.desc(), c.sid))]


def login_called(connection: Connection, uid: str, sid: str) -> Login | None:
    """Return the login `sid` of `uid`."""
    c = logins.c
    row = connection.execute(select(*_COLUMNS).where(c.uid == uid, c.sid == sid)).first()
    return None if row is None else Login(*row)


def update_login(connection: Connection, login: Login) -> None:
    """Keep what a rotation has changed."""
    c = logins.c
    changed = {name: getattr(login, name) for name in _ROTATED}
    query = update(logins).where(c.uid == login.uid, c.sid == login.sid)
    connection.execute(query.values(changed))


def remove_logins(connection: Connection, uid: str, sids: list[str] | None = None) -> None:
    """Forget some logins of `uid`, or all."""
    query = delete(logins).where(logins.c.uid == uid)
    connection.execute(query if sids is None else query.where(logins.c.sid.in_(sids)))


def remove_other_logins(connection: Connection, uid: str, sid: str) -> list[str]:
    """Forget all logins of `uid` but `sid`; returns which they were."""
    c = logins.c
    others = list(connection.scalars(select(c.sid).where(c.uid == uid, c.sid != sid)))
    remove_logins(connection, uid, others)
    return others


_ROTATED = ("token", "previous", "rotated", "seen", "until")
