"""A logic node on a database that has no tables yet."""

import dataclasses

import msgspec
import trio
from structlog.testing import capture_logs

from backends.database.database import Database
from backends.database.settings import DatabaseSettings
from proto.services import Method
from tests.conftest import run_inline


async def slowly(work, *, limiter):
    """Run what the database is to do; it takes a second."""
    await trio.sleep(1)
    return await run_inline(work, limiter=limiter)


async def test_nothing_is_asked_of_tables_that_are_not_there_yet(
    world, running, ask, tmp_path, autojump_clock
):
    database = Database(DatabaseSettings(url=f"sqlite:///{tmp_path}/first.db"), slowly)
    world.parts = dataclasses.replace(world.parts, database=database)
    with capture_logs() as logs:
        node, stopping = await running()
        await trio.sleep(10)
    assert [each["event"] for each in logs] == ["database_prepared"]
    request = msgspec.json.encode({"op": "friend_request", "id": 1, "uid": "bob"})
    assert msgspec.json.decode(await ask(node, Method.IM, request))["state"] == "asked"
    stopping.set()
    await trio.sleep(5)
    database.close()
