"""What a new database needs before anything else: the tables, and the name of its numbering."""

import secrets

from sqlalchemy import Connection, insert, select

from backends.database.schema import metadata, settings

_EPOCH_BYTES = 8


def prepare(connection: Connection) -> None:
    """Make what is missing; changes nothing where all is there."""
    metadata.create_all(connection)
    is_epoch = settings.c.name == "epoch"
    if connection.execute(select(settings.c.value).where(is_epoch)).first() is None:
        epoch = secrets.token_hex(_EPOCH_BYTES)
        connection.execute(insert(settings).values(name="epoch", value=epoch))
