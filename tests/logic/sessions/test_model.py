"""The query beside a plain sort, and pages taken while others write."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.database import schema
from backends.database.database import Database
from backends.database.settings import DatabaseSettings
from tests.conftest import run_inline
from tests.logic.sessions.conftest import People

CONVS = ["d:Bob|ann", "d:ann|bob", "d:ann|b.c", "g:A", "g:a", "g:b", "g:z_", "g:z-"]
_small = st.integers(0, 4)
_rows = st.fixed_dictionaries(
    {
        "last_seq": _small,
        "last_ts": _small,
        "last_count": _small,
        "read_count": _small,
        "hidden_seq": _small,
        "pinned": st.booleans(),
        "left": st.booleans(),
        "hot": st.booleans(),
        "head": st.integers(0, 4),  # how far a hot group is ahead of what the user's row says
    }
)
lists = st.dictionaries(st.sampled_from(CONVS), _rows)
reused = settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def now(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row as its user is to see it."""
    ahead = row["head"] if row["hot"] and not row["left"] else 0
    moved = {name: row[name] + ahead for name in ("last_seq", "last_ts", "last_count")}
    return row | moved | {"hot": row["hot"] and not row["left"]}


def model(rows: dict[str, dict[str, Any]]) -> list[tuple[str, int, int, bool]]:
    seen = {conv: now(row) for conv, row in rows.items()}
    shown = {conv: row for conv, row in seen.items() if row["last_seq"] > row["hidden_seq"]}
    ordered = sorted(shown.items(), key=lambda at: (not at[1]["pinned"], -at[1]["last_ts"], at[0]))
    return [
        (conv, row["last_ts"], max(0, row["last_count"] - row["read_count"]), row["hot"])
        for conv, row in ordered
    ]


async def keep(people: People, rows: dict[str, dict[str, Any]]) -> None:
    await people.clear()
    own = [
        {"uid": "ann", "conv": conv} | {name: row[name] for name in row if name != "head"}
        for conv, row in rows.items()
    ]
    await people.put(schema.sessions, *own)
    names = ("last_seq", "last_ts", "last_count")
    heads = [
        {"conv": conv} | {n: row[n] + row["head"] for n in names} for conv, row in rows.items()
    ]
    await people.put(schema.conversations, *heads)


def run(check: Callable[[People], Awaitable[None]], url: str) -> None:
    """Run one example, with a database of its own to connect to."""
    settings = DatabaseSettings(url=url, synchronous="NORMAL")
    with closing(Database(settings, run_inline)) as database:
        trio.run(check, People(database))


@reused
@given(rows=lists, limit=st.integers(1, 9))
def test_pages_are_a_plain_sort(database_url: str, rows: Any, limit: int) -> None:
    async def check(people: People) -> None:
        await keep(people, rows)
        pages = await people.pages(limit)
        found = [(each["conv"], each["last_ts"], each["unread"], each["hot"]) for each in pages]
        assert found == model(rows)

    run(check, database_url)


@reused
@given(
    rows=lists,
    limit=st.integers(1, 3),
    active=st.lists(st.lists(st.sampled_from(CONVS), max_size=3), max_size=8),
)
def test_a_pager_sees_each_quiet_session_once(
    database_url: str, rows: Any, limit: int, active: Any
) -> None:
    """Between two pages messages come; only sessions that they came to may move."""

    async def check(people: People) -> None:
        await keep(people, rows)
        found, cursor = await people.page(limit)
        arrivals = iter(active)
        while cursor:
            for conv in next(arrivals, []):
                await arrive(people, conv)
            more, cursor = await people.page(limit, cursor)
            found += more
        moved = {conv for convs in active for conv in convs}
        quiet = [each["conv"] for each in found if each["conv"] not in moved]
        assert quiet == [conv for conv, *_ in model(rows) if conv not in moved]

    run(check, database_url)


async def arrive(people: People, conv: str) -> None:
    """A message to `conv`: its head moves, and the row of the user if it has one."""
    for table in (schema.conversations, schema.sessions):
        moved = (
            table.update()
            .where(table.c.conv == conv)
            .values(last_seq=table.c.last_seq + 1, last_ts=table.c.last_ts + 1)
        )
        await people.database.write(lambda connection, moved=moved: connection.execute(moved))
