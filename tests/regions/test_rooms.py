"""A room whose people are in three regions."""

from collections.abc import Callable

import pytest
import trio

from bench.regions.world import World
from relaymesh_client import Push
from tests.regions.people import one_in_each, present, say

pytestmark = pytest.mark.regions

EACH = 20


async def test_everybody_hears_everything_once_and_in_the_same_order(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    async with one_in_each(world, room) as people:
        said = {who: [f"{who}-{number}" for number in range(EACH)] for who in people}
        async with trio.open_nursery() as nursery:
            for who, person in people.items():
                nursery.start_soon(say, person, room, said[who])
        everything = [text for texts in said.values() for text in texts]
        for person in people.values():
            await person.heard(room, len(everything))
            person.require_whole(room, everything)
        orders = [person.chats(room) for person in people.values()]
        assert orders[0] == orders[1] == orders[2]
        for who, texts in said.items():
            assert [text for text in orders[0] if text in texts] == said[who]


async def test_urgent_messages_and_gifts_cross_too(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("ap")
    async with (
        present(world, "eu", "host", room, host=room) as host,
        present(world, "us", "giver", room) as giver,
        present(world, "ap", "hearer", room) as hearer,
    ):
        speech = await host.client.speech(room, "welcome")
        receipt = world.receipt("giver", room, "car", 1_000_000)
        gift = await giver.client.gift(room, "car", 1_000_000, receipt=receipt)
        assert (speech.priority, gift.priority) == ("urgent", "urgent")
        for person in (host, giver, hearer):
            await person.until(lambda p=person: len(urgent(p.of(Push, room))) == 2)
            assert urgent(person.of(Push, room)) == [("speech", 1), ("gift", 2)]


def urgent(pushes: list[Push]) -> list[tuple[str, int]]:
    return [(push.kind, push.seq) for push in pushes if push.priority == "urgent"]


@pytest.mark.parametrize("home", ["eu", "us", "ap"])
async def test_a_back_end_publishes_at_any_gateway(
    world: World, room_at: Callable[[str], str], home: str
) -> None:
    room = room_at(home)
    async with present(world, "eu", "hearer", room) as hearer:
        for region in world.description.names:
            answer = await world.ask(region, f"/v1/rooms/{room}/publish", {"data": region})
            assert answer["room"] == room
        await hearer.until(lambda: len(notices(hearer.of(Push, room))) == 3)
        assert notices(hearer.of(Push, room)) == list(world.description.names)


def notices(pushes: list[Push]) -> list[object]:
    return [push.frame["data"] for push in pushes if push.kind == "notice"]


async def test_a_message_crosses_a_link_once_a_region_and_not_where_nobody_listens(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    async with (
        present(world, "us", "speaker", room) as speaker,
        present(world, "eu", "one", room) as one,
        present(world, "eu", "two", room) as two,
        present(world, "eu", "three", room) as three,
    ):
        before = {region: await crossed(world, region) for region in ("eu", "ap")}
        # In bytes, big ones: heads and questions between regions are on the same lane.
        texts = [f"{number} " + "x" * 1900 for number in range(2 * EACH)]
        size = sum(map(len, texts))
        await say(speaker, room, texts)
        for person in (one, two, three):
            await person.heard(room, len(texts))
            person.require_whole(room, texts)
        assert size < await crossed(world, "eu") - before["eu"] < 1.7 * size
        assert await crossed(world, "ap") - before["ap"] < 0.3 * size


async def crossed(world: World, region: str) -> float:
    """Return how many bytes of the normal lane have come to a region from us."""
    came = 'relaymesh_relay_region_bytes_total{priority="normal",region="us",way="in"}'
    return (await world.metrics(region, "relay"))[came]


async def test_likes_are_counted_over_all_regions(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("ap")
    async with one_in_each(world, room) as people:
        for number in range(30):
            for person in people.values():
                person.client.like(room, number + 1)
            await trio.sleep(0.02)
        for person in people.values():
            await person.client.likes_confirmed(room)
        wanted = 3 * sum(range(1, 31))
        for person in people.values():
            assert person.client.uncertain_likes == 0
            await person.until(lambda p=person: wanted in totals(p.of(Push, room), "likes"))
            assert max(totals(person.of(Push, room), "likes")) == wanted


async def test_everybody_online_is_counted_once_wherever_they_are(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    async with one_in_each(world, room) as people:
        for person in people.values():
            await person.until(lambda p=person: totals(p.of(Push, room), "online")[-1:] == [3])
        async with present(world, "ap", "late", room):
            for person in people.values():
                await person.until(lambda p=person: totals(p.of(Push, room), "online")[-1:] == [4])
        for person in people.values():
            await person.until(lambda p=person: totals(p.of(Push, room), "online")[-1:] == [3])


def totals(pushes: list[Push], kind: str) -> list[int]:
    name = {"likes": "total", "online": "online"}[kind]
    return [push.frame[name] for push in pushes if push.kind == kind]
