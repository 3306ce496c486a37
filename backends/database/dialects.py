"""Where the two databases need to be told apart in SQL: `INSERT … ON CONFLICT`."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_or(connection: Connection, table: Table) -> sqlite.Insert:
    """Return an insert that may end with `.on_conflict_do_nothing()` or `.on_conflict_do_update()`.

    Both databases take the same form of it; the two classes of SQLAlchemy have the same methods.
    """
    return insert_into(connection.dialect.name, table)


def insert_into(dialect: str, table: Table) -> sqlite.Insert:
    """Return what `insert_or` does, for a statement that is made once and kept."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)  # type: ignore[return-value]
