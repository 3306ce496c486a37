"""Who is revoked in one region is closed in all."""

import pytest
import trio

from bench.regions.world import World
from relaymesh_client import Closed, Disconnected, Refused, connect, gateway
from tests.regions.people import present

pytestmark = pytest.mark.regions

UID = "is-revoked"
WITHIN_S = 3.0
"""A second is what it takes; machines that run all of this at once have others to serve."""


async def test_a_user_is_closed_wherever_it_is_connected(world: World) -> None:
    names, codes = world.description.names, dict[str, int | None]()

    async def stay(region: str, task_status: trio.TaskStatus[None]) -> None:
        try:
            async with connect(gateway(world.gateway(region)), world.token(UID)) as client:
                task_status.started()
                async for _ in client.events():
                    pass
        except Closed as closed:
            codes[region] = closed.code

    async with present(world, "us", "stays") as stays:
        async with trio.open_nursery() as nursery:
            for region in names:
                await nursery.start(stay, region)
            await world.ask("ap", f"/v1/users/{UID}/revoke", {})
            with trio.fail_after(WITHIN_S):
                while len(codes) < len(names):
                    await trio.sleep(0.01)
        assert codes == dict.fromkeys(names, 4011)
        for region in names:
            with pytest.raises((Closed, Refused)):
                async with connect(gateway(world.gateway(region)), world.token(UID)):
                    pass
        assert stays.of(Disconnected) == []
