"""A room becomes hot in its home, and its people are in all regions."""

from collections.abc import Callable

import pytest
import trio

from bench.regions.world import World
from tests.regions.people import PATIENCE_S, Talk, one_in_each

pytestmark = pytest.mark.regions

DEDICATED = "us-access-3"


async def test_who_is_at_home_moves_and_nobody_misses_anything(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    async with one_in_each(world, room) as people:
        before = {who: person.client.session.node for who, person in people.items()}
        talkers = [Talk(person, room, f"{who} ") for who, person in people.items()]
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                nursery.start_soon(talker.run)
            await people["us"].heard(room, 1)
            await world.ask("us", f"/v1/rooms/{room}/heat", {"wish": "hot"})
            await until_state(world, room, "hot")
            await people["us"].until(lambda: people["us"].client.session.node == DEDICATED)
            # Dedicated nodes are for those of their own region.
            for who in ("eu", "ap"):
                assert people[who].client.session.node == before[who]
            await trio.sleep(1.0)
            await world.ask("us", f"/v1/rooms/{room}/heat", {"wish": "cool"})
            await until_state(world, room, "normal")
            await people["us"].until(lambda: people["us"].client.session.node != DEDICATED)
            for talker in talkers:
                talker.over = True
        texts = [text for talker in talkers for text in talker.said]
        for person in people.values():
            await person.heard(room, len(texts))
            person.require_whole(room, texts)


async def until_state(world: World, room: str, state: str) -> None:
    found = {}
    with trio.move_on_after(PATIENCE_S):
        while (found := await world.ask("us", f"/v1/rooms/{room}/heat"))["state"] != state:
            await trio.sleep(0.1)
    assert found["state"] == state, str(found)
