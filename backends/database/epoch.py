"""The name of the numbering of all mailboxes: a new one where the database was lost."""

from sqlalchemy import Connection, select

from backends.database.schema import settings
from backends.errors import StoreUnavailableError


def read_epoch(connection: Connection) -> str:
    """Return the epoch; raises `StoreUnavailableError` before the database is prepared."""
    query = select(settings.c.value).where(settings.c.name == "epoch")
    epoch = connection.execute(query).scalar()
    if epoch is None:
        raise StoreUnavailableError("the database has no epoch yet")
    return str(epoch)
