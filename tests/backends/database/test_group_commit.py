"""Group commit: who shares a transaction, and whom a broken request harms."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing
from sqlalchemy import Connection, insert, select

from backends.database.group_commit import GroupCommit
from backends.database.schema import mailboxes
from backends.errors import StoreRefusedError, StoreUnavailableError


def keep(connection: Connection, names: Sequence[str]) -> list[str]:
    """Insert rows in one transaction; a name that is there is never taken."""
    connection.execute(insert(mailboxes), [{"uid": name} for name in names])
    return [f"kept {name}" for name in names]


@pytest.fixture
def commits(database: Any, nursery: trio.Nursery) -> GroupCommit[str, str]:
    commits = GroupCommit(database, keep, most=10)
    nursery.start_soon(commits.run)
    return commits


async def do_all(commits: GroupCommit[str, str], names: Sequence[str]) -> dict[str, Any]:
    """Ask for all at once, and return what each was told."""
    told: dict[str, Any] = {}

    async def do(name: str) -> None:
        try:
            told[name] = await commits.do(name)
        except StoreUnavailableError as error:
            told[name] = type(error)

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(do, name)
    return told


async def names_in(database: Any) -> set[str]:
    return set(await database.read(lambda c: c.execute(select(mailboxes.c.uid)).scalars().all()))


async def rename(database: Any, table: str, to: str) -> None:
    statement = f"ALTER TABLE {table} RENAME TO {to}"
    await database.write(lambda c: c.exec_driver_sql(statement) and None)


async def test_those_that_come_together_share_transactions_of_bounded_size(
    autojump_clock, commits, database
):
    names = [f"n{n}" for n in range(25)]
    assert await do_all(commits, names) == {name: f"kept {name}" for name in names}
    assert (commits.commits, commits.requests, commits.depth) == (3, 25, 0)
    assert set(names) <= await names_in(database)


async def test_one_that_is_never_taken_harms_no_other(autojump_clock, commits, database):
    await commits.do("there")
    told = await do_all(commits, ["a", "there", "b"])
    assert told == {"a": "kept a", "b": "kept b", "there": StoreRefusedError}
    assert {"a", "b"} <= await names_in(database)


async def test_what_is_not_known_to_be_kept_is_told_to_all_and_the_next_ones_go_on(
    autojump_clock, commits, database
):
    await rename(database, "mailboxes", "gone")
    told = await do_all(commits, ["a", "b"])
    assert all(issubclass(each, StoreUnavailableError) for each in told.values())
    await rename(database, "gone", "mailboxes")
    assert await commits.do("a") == "kept a"


async def test_in_a_quiet_time_nobody_waits_and_in_a_busy_one_for_others(
    autojump_clock, database, nursery
):
    commits = GroupCommit(database, keep, pace_s=1.0)
    nursery.start_soon(commits.run)
    began = trio.current_time()
    await commits.do("first")
    assert trio.current_time() - began < 0.5
    told: list[str] = []

    async def do(name: str) -> None:
        told.append(await commits.do(name))

    for n in range(4):
        nursery.start_soon(do, f"n{n}")
        await trio.sleep(0.1)
    assert (told, commits.commits) == ([], 1)
    await trio.sleep(1)
    assert (len(told), commits.commits) == (4, 2)
    await trio.sleep(5)
    began = trio.current_time()
    await commits.do("late")
    assert trio.current_time() - began < 0.5
