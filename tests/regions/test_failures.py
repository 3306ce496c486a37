"""What lies between regions fails, and what is in them."""

from collections.abc import Callable
from functools import partial

import pytest
import trio

from bench.cluster import samples
from bench.regions.description import Host
from bench.regions.world import World
from relaymesh_client.conversations import direct
from tests.regions.people import (
    PATIENCE_S,
    Talk,
    crowd_in,
    one_in_each,
    present,
    refusal,
    say,
    until_accepted,
    until_refused,
)

pytestmark = pytest.mark.regions

UNREACHABLE = "home_unreachable"
MESSAGES = 60


async def test_a_region_cut_off_serves_what_it_homes_and_heals_without_loss(
    world: World, room_at: Callable[[str], str]
) -> None:
    own, foreign = room_at("ap"), room_at("us")
    async with one_in_each(world, own, foreign) as people:
        world.cut("ap")
        await until_refused(world, "ap", f"/v1/rooms/{foreign}/publish", UNREACHABLE)
        await until_refused(world, "us", f"/v1/rooms/{own}/publish", UNREACHABLE)
        assert await refusal(world, "ap", "/v1/users/x/publish", {"data": 1}) == UNREACHABLE

        inside = [f"inside-{number}" for number in range(MESSAGES)]
        outside = [f"outside-{number}" for number in range(MESSAGES)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say, people["ap"], own, inside)
            nursery.start_soon(say, people["us"], foreign, outside)
        await people["ap"].heard(own, MESSAGES)
        await people["eu"].heard(foreign, MESSAGES)
        assert not people["ap"].chats(foreign)
        assert not people["eu"].chats(own)

        world.heal("ap")
        for person in people.values():
            await person.heard(own, MESSAGES)
            await person.heard(foreign, MESSAGES)
            person.require_whole(own, inside)
            person.require_whole(foreign, outside)
            assert person.reconnects == 0
        await until_accepted(world, "ap", f"/v1/rooms/{foreign}/publish")


async def test_what_a_region_missed_is_asked_for_once_for_all_its_people(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    crowd = 6
    async with (
        present(world, "us", "speaker", room) as speaker,
        crowd_in(world, "ap", room, crowd) as people,
    ):
        world.cut("ap")
        texts = [str(number) for number in range(MESSAGES)]
        await say(speaker, room, texts)
        fetched = await logic_fetched(world)
        world.heal("ap")
        for person in people:
            await person.heard(room, MESSAGES)
            person.require_whole(room, texts)
        # Once for each access node that has somebody in the room, however many these are.
        assert await logic_fetched(world) - fetched <= 2 * MESSAGES


async def logic_fetched(world: World) -> float:
    """Return how many messages logic in us has given for repair."""
    return (await world.metrics("us", "logic"))["relaymesh_logic_fetched_total"]


async def test_a_join_waits_for_the_home_that_is_cut_off(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("eu")
    world.cut("ap")
    await until_refused(world, "ap", f"/v1/rooms/{room}/publish", UNREACHABLE)
    async with present(world, "ap", "early") as early, trio.open_nursery() as nursery:
        nursery.start_soon(early.client.join, room)
        await trio.sleep(1.0)
        assert not early.joins(room)
        world.heal("ap")
        await early.until(lambda: early.joins(room) == 1)


async def test_packets_are_lost_between_regions(
    world: World, room_at: Callable[[str], str]
) -> None:
    room = room_at("us")
    for region in world.description.names:
        world.set_link(region, loss_percent=1.0)  # both links of a way: 2 % of the packets
    async with one_in_each(world, room) as people:
        said = {who: [f"{who}-{number}" for number in range(40)] for who in people}
        async with trio.open_nursery() as nursery:
            for who, person in people.items():
                nursery.start_soon(say, person, room, said[who], 0.02)
        everything = [text for texts in said.values() for text in texts]
        for person in people.values():
            await person.heard(room, len(everything))
            person.require_whole(room, everything)


async def test_a_killed_region_is_missed_and_comes_back(
    world: World, room_at: Callable[[str], str]
) -> None:
    gone, kept = room_at("us"), room_at("ap")
    async with (
        present(world, "eu", "in-eu", gone, kept) as in_eu,
        present(world, "ap", "in-ap", gone, kept) as in_ap,
    ):
        before = await in_eu.client.chat(gone, "before")
        await in_ap.heard(gone, 1)
        world.kill_region("us")
        try:
            await until_refused(world, "ap", f"/v1/rooms/{gone}/publish", UNREACHABLE)
            await say(in_eu, kept, ["meanwhile"])
            await in_ap.heard(kept, 1)
        finally:
            world.start_region("us")
            await world.ready("us")
        after = await in_ap.client.chat(gone, "after")
        # Its Redis has kept all: the numbers go on.
        assert (after.epoch, after.seq) == (before.epoch, before.seq + 1)
        async with present(world, "us", "in-us", gone) as in_us:
            last = await in_us.client.chat(gone, "last")
            for person in (in_eu, in_ap):
                await person.heard(gone, 3)
                person.require_whole(gone, ["before", "after", "last"])
            assert last.seq == after.seq + 1


async def test_a_relay_is_added_and_removed_while_people_talk(
    world: World, room_at: Callable[[str], str]
) -> None:
    rooms = [room_at("us") for _ in range(6)]
    async with one_in_each(world, *rooms) as people:
        talkers = [Talk(people["eu"], room) for room in rooms]
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                nursery.start_soon(talker.run)
            new = world.add_relay("us")
            await world.ready("us")
            # It takes its share: room messages go through it.
            await until_it_carries(world, new)
            world.remove_relay(new)
            await trio.sleep(0.5)
            world.kill(new)
            await trio.sleep(1.0)
            for talker in talkers:
                talker.over = True
        for person in people.values():
            for talker in talkers:
                await person.heard(talker.room, len(talker.said))
                person.require_whole(talker.room, talker.said)


async def test_relays_die_and_come_back_while_people_talk(
    world: World, room_at: Callable[[str], str]
) -> None:
    """One at the rooms' home, and one where somebody listens."""
    rooms = [room_at("us") for _ in range(4)]
    dying = [world.relays("us")[0], world.relays("eu")[0]]
    async with one_in_each(world, *rooms) as people:
        talkers = [Talk(people["ap"], room) for room in rooms]
        async with trio.open_nursery() as nursery:
            for talker in talkers:
                nursery.start_soon(talker.run)
            await trio.sleep(0.5)
            world.kill(*dying)
            await trio.sleep(1.0)
            world.start(*dying)
            await world.ready("us", "eu")
            await world.linked()
            for talker in talkers:
                talker.over = True
        for person in people.values():
            for talker in talkers:
                await person.heard(talker.room, len(talker.said))
                person.require_whole(talker.room, talker.said)


async def test_instant_messages_wait_for_the_region_that_keeps_them(world: World) -> None:
    async with (
        present(world, "us", "waits", device="phone") as waits,
        present(world, "eu", "hears", device="phone") as hears,
    ):
        await waits.client.im.friend_request("hears")
        await hears.client.im.friend_accept("waits")
        conv = direct("waits", "hears")
        world.cut("us")
        await until_refused(world, "us", "/v1/users/x/publish", UNREACHABLE)
        texts = [str(number) for number in range(10)]
        async with trio.open_nursery() as nursery:
            for text in texts:
                nursery.start_soon(partial(waits.client.im.send, conv, text=text))
                await trio.sleep(0.01)
            await trio.sleep(1.0)
            assert not hears.said(conv)
            world.heal("us")
        for person in (waits, hears):
            await person.until(lambda p=person: len(p.said(conv)) >= len(texts))
            assert person.said(conv) == texts


async def until_it_carries(world: World, relay: Host) -> None:
    """Wait until room messages have gone through a relay."""
    sent = 'relaymesh_relay_envelopes_total{priority="normal",way="out"}'
    with trio.fail_after(PATIENCE_S):
        while dict(samples(await world.metrics_text(relay)))[sent] < MESSAGES:
            await trio.sleep(0.1)
