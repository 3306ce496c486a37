"""A node in memory for each test that asks for one."""

from collections.abc import Callable

import pytest
import trio

from access.settings import Settings
from proto.token_settings import TokenSettings
from tests.access.cluster import SECRET, Client, World


@pytest.fixture
async def make_world(nursery: trio.Nursery) -> Callable[..., World]:
    """Return a factory of running nodes; takes `Settings` fields.

    The test itself asks for `autojump_clock`: pytest-trio looks for a clock nowhere else.
    """

    def make(**fields: object) -> World:
        world = World(nursery, Settings(tokens=TokenSettings(secret=SECRET), **fields))  # type: ignore[arg-type]
        nursery.start_soon(world.node.run)
        return world

    return make


@pytest.fixture
async def world(make_world: Callable[..., World]) -> World:
    """Return a running node with default settings."""
    return make_world()


@pytest.fixture
async def ann(world: World) -> Client:
    """Return a client that has said hello and is in the room `lobby`."""
    client = world.client()
    await client.hello("ann", join=[{"room": "lobby"}])
    return client
