"""Accounts: who may log in, in the caller's transaction."""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from backends.database.dialects import insert_or
from backends.database.schema import accounts


class Account(NamedTuple):
    """A row of `schema.accounts`; times are Unix milliseconds."""

    uid: str
    name: str
    name_key: str
    password: str
    tokens_from: int
    created: int


_COLUMNS = [accounts.c[name] for name in Account._fields]


def add_account(connection: Connection, account: Account) -> bool:
    """Keep a new account; false where its name is taken."""
    # With `returning`, as not every driver counts the rows of an insert.
    insert = insert_or(connection, accounts).on_conflict_do_nothing().returning(accounts.c.uid)
    return connection.scalar(insert, account._asdict()) is not None


def account_called(connection: Connection, name_key: str) -> Account | None:
    """Return the account with that name."""
    row = connection.execute(select(*_COLUMNS).where(accounts.c.name_key == name_key)).first()
    return None if row is None else Account(*row)


def account_of(connection: Connection, uid: str) -> Account | None:
    """Return the account of `uid`."""
    row = connection.execute(select(*_COLUMNS).where(accounts.c.uid == uid)).first()
    return None if row is None else Account(*row)


def hold_account(connection: Connection, uid: str) -> Account | None:
    """Return the account of `uid`, and hold it until the transaction ends."""
    query = select(*_COLUMNS).where(accounts.c.uid == uid).with_for_update()
    row = connection.execute(query).first()
    return None if row is None else Account(*row)


def change_password(connection: Connection, uid: str, before: str, after: str) -> bool:
    """Keep another hash; false where it is no longer the one `before`."""
    a = accounts.c
    query = update(accounts).where(a.uid == uid, a.password == before).values(password=after)
    return connection.execute(query).rowcount == 1


def refuse_tokens(connection: Connection, uid: str, up_to_ms: int) -> None:
    """Note that tokens of `uid` issued up to then were revoked: later ones are dated later."""
    a = accounts.c
    query = update(accounts).where(a.uid == uid, a.tokens_from < up_to_ms)
    connection.execute(query.values(tokens_from=up_to_ms))
