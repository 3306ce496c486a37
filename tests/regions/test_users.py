"""Messages to people, who are in whichever region they connect."""

import pytest
import trio

from bench.regions.world import World
from relaymesh_client import Presence
from relaymesh_client.conversations import direct
from tests.regions.people import Person, present

pytestmark = pytest.mark.regions

EACH = 15


async def test_a_direct_message_reaches_a_user_from_any_region(world: World) -> None:
    async with (
        present(world, "eu", "de") as de,
        present(world, "us", "du") as du,
        present(world, "ap", "da") as da,
    ):
        everybody = (de, du, da)
        for region in world.description.names:
            for person in everybody:
                data = f"{region} to {person.uid}"
                await world.ask(region, f"/v1/users/{person.uid}/publish", {"data": data})
            uids = [person.uid for person in everybody]
            await world.ask(region, "/v1/users/publish", {"data": region, "uids": uids})
        for person in everybody:
            own = [f"{region} to {person.uid}" for region in world.description.names]
            wanted = sorted([*own, *world.description.names])
            await person.until(lambda p=person: len(p.directs()) >= 6)
            assert sorted(map(str, person.directs())) == wanted


async def test_a_user_with_connections_in_two_regions_is_told_on_both(world: World) -> None:
    async with present(world, "eu", "twice") as here, present(world, "ap", "twice") as there:
        await world.ask("us", "/v1/users/twice/publish", {"data": 1})
        for person in (here, there):
            await person.until(lambda p=person: len(p.directs()) >= 1)
            assert person.directs() == [1]


async def befriend(one: Person, other: Person) -> str:
    await one.client.im.friend_request(other.uid)
    await other.client.im.friend_accept(one.uid)
    return direct(one.uid, other.uid)


@pytest.mark.parametrize(("here", "there"), [("us", "ap"), ("eu", "us")])
async def test_instant_messages_between_regions(world: World, here: str, there: str) -> None:
    async with (
        present(world, here, f"ann-{here}-{there}", device="phone") as ann,
        present(world, there, f"bob-{here}-{there}", device="phone") as bob,
    ):
        conv = await befriend(ann, bob)
        async with trio.open_nursery() as nursery:
            for person in (ann, bob):
                nursery.start_soon(write, person, conv)
        wanted = {f"{person.uid} {number}" for person in (ann, bob) for number in range(EACH)}
        for person in (ann, bob):
            await person.until(lambda p=person: len(p.said(conv)) >= 2 * EACH)
            assert len(person.said(conv)) == 2 * EACH
            assert set(person.said(conv)) == wanted
        assert ann.said(conv) == bob.said(conv)


async def write(person: Person, conv: str) -> None:
    for number in range(EACH):
        await person.client.im.send(conv, text=f"{person.uid} {number}")


async def test_who_moves_to_another_region_finds_what_was_written_meanwhile(world: World) -> None:
    async with present(world, "us", "stays", device="phone") as stays:
        async with present(world, "eu", "moves", device="phone") as before:
            conv = await befriend(stays, before)
            await stays.client.im.send(conv, text="here?")
            await before.until(lambda: before.said(conv) == ["here?"])
        await stays.client.im.send(conv, text="gone?")
        async with present(world, "ap", "moves", device="phone") as after:
            await stays.client.im.send(conv, text="there?")
            await after.until(lambda: after.said(conv)[-2:] == ["gone?", "there?"])


async def test_presence_is_told_over_regions(world: World) -> None:
    async with present(world, "us", "watcher", device="phone") as watcher:
        async with present(world, "ap", "watched", device="phone") as watched:
            await befriend(watcher, watched)
            assert await watcher.client.im.watch(["watched"]) == []
            await watcher.until(lambda: states(watcher)[-1:] == ["online"])
        await watcher.until(lambda: states(watcher)[-1:] == ["offline"])


def states(person: Person) -> list[str]:
    return [each.state for each in person.of(Presence) if each.uid == "watched"]
