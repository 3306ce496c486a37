"""Where the two databases need to be told apart in SQL: `INSERT … ON CONFLICT`, rows as a value."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Cast, Connection, Table, bindparam, cast, func, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import BigInteger, String, TypeEngine

TEXT, NUMBER = String(), BigInteger()
_encode = msgspec.json.Encoder().encode


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


def columns(dialect: str, *types: TypeEngine[Any]) -> list[Cast[Any]]:
    """Return the columns of the rows that the statement's parameter `rows` holds (`as_rows`).

    One value for any number of rows: the statement stays the same one, is prepared once, and its
    whole work is one call into the database, during which Python's lock is free. Rows come in
    their order, so that locks on what they name are taken in that order.
    """
    rows = bindparam("rows", type_=String())
    if dialect == "sqlite":
        value = func.json_each(rows).table_valued("value").c.value
    else:
        json = cast(rows, postgresql.JSONB)
        value = func.jsonb_array_elements(json).table_valued("value").c.value
    items = [value.op("->>")(literal_column(str(index))) for index in range(len(types))]
    return [cast(item, type_) for item, type_ in zip(items, types, strict=True)]


def as_rows(rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Return the parameter of a statement that uses `columns`."""
    return {"rows": _encode(rows).decode()}
