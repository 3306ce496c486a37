"""The name of the numbering of all mailboxes: a new one where the database was lost."""

import secrets

from sqlalchemy import Connection, select

from backends.database.dialects import insert_or
from backends.database.schema import settings
from backends.errors import StoreUnavailableError

EPOCH_BYTES = 8


def read_epoch(connection: Connection) -> str:
    """Return the epoch; raises `StoreUnavailableError` before the database is prepared."""
    query = select(settings.c.value).where(settings.c.name == "epoch")
    epoch = connection.execute(query).scalar()
    if epoch is None:
        raise StoreUnavailableError("the database has no epoch yet")
    return str(epoch)


def renew_epoch(connection: Connection) -> str:
    """Give the numbering a new name, and return it.

    After a restore from a backup, numbers that clients have seen are given to other messages: under
    another name, clients begin anew from the session list.
    """
    epoch = secrets.token_hex(EPOCH_BYTES)
    named = insert_or(connection, settings).values(name="epoch", value=epoch)
    renamed = named.on_conflict_do_update(index_elements=["name"], set_={"value": epoch})
    connection.execute(renamed)
    return epoch
