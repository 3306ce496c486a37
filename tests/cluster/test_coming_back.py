"""Devices that come back, on whichever node, and hot groups: nothing lost or doubled, all in order,
by a client written from the document."""

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_messenger import MAILBOX, direct, say
from tests.cluster.messengers import befriend, device, friends, group_of, tag, until_entry


async def test_it_goes_on_where_it_was_on_the_other_node(cluster: Cluster, room: str) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        away = device(cluster, room, "bob", "tablet")
        for n in range(6):
            async with away.online(cluster.access[n % 2]):
                assert away.welcome["standing"] == "level"
                await say(ann_there, conv, f"seen {n}")
                await away.until_taken(conv, 2 * n + 1)
            await say(ann_there, conv, f"missed {n}")
        async with away.online(cluster.access[1]):
            for each in (away, bob):
                await each.until_taken(conv, 12)
        assert away.seqs(conv) == [*range(1, 13)]
        assert away.texts(conv) == bob.texts(conv)


async def test_a_device_that_keeps_nothing_goes_on_after_what_it_acknowledged(
    cluster: Cluster, room: str
) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        before = device(cluster, room, "bob", "kiosk")
        async with before.online(cluster.access[0]):
            for n in range(3):
                await say(ann_there, conv, str(n))
            await before.until_taken(conv, 3)
            await trio.sleep(0.2)  # it gathers its acknowledgements
        await say(ann_there, conv, "missed")
        await bob.until_taken(conv, 4)
        after = device(cluster, room, "bob", "kiosk")
        async with after.online(cluster.access[1]):
            await after.until_taken(conv, 4)
        assert after.seqs(conv)[-1] == 4
        assert set(after.seqs(conv)) <= {1, 2, 3, 4}  # what was not reported may come again
        new = device(cluster, room, "bob", "new")
        async with new.online(cluster.access[0]):
            assert (new.welcome["standing"], new.welcome["start"]) == ("level", new.welcome["head"])


async def test_a_hot_group_has_a_stream_of_its_own(cluster: Cluster, room: str) -> None:
    """Into it, while in it; who comes in and goes meanwhile; who was away."""
    eve, away = device(cluster, room, "eve"), device(cluster, room, "bob", "away")
    async with (
        friends(cluster, room) as (ann, bob, ann_there, bob_there),
        eve.online(cluster.access[0]) as eve_there,
    ):
        await befriend(ann_there, eve_there, ann.uid, eve.uid)
        conv = await group_of(ann_there, room, bob.uid)
        async with away.online(cluster.access[0]):
            await say(ann_there, conv, "normal")
            await away.until_taken(conv, 2)
        fence = await tag(cluster, conv, hot=True)
        for n in range(5):
            await say(bob_there, conv, f"hot {n}")
        came = await ann_there.request("group_invite", conv=conv, uids=[eve.uid])
        for n in range(5):
            await say(ann_there, conv, f"with Eve {n}")
        went = await ann_there.request("group_kick", conv=conv, uids=[eve.uid])
        assert went["uids"] == [eve.uid]
        last = (await say(bob_there, conv, "without Eve"))["seq"]
        found = await until_entry(ann_there, conv, unread=1, last_seq=last, hot=True)
        assert found["last"]["body"]["text"] == "without Eve"
        async with away.online(cluster.access[1]):
            for each in (ann, bob, away):
                await each.until_taken(conv, last)
                assert each.seqs(conv) == [*range(each.seqs(conv)[0], last + 1)]
        streams = {frame["seq"]: frame["stream"] for frame in bob.taken[conv]}
        assert [streams[fence], streams[fence + 1]] == [MAILBOX, f"hot:{conv}"]
        await eve.until_taken(f"s:{eve.uid}", 4)
        await eve.until_taken(conv, went["seq"])
        assert eve.seqs(conv) == [*range(came["seq"], went["seq"] + 1)]
        told = [frame["kind"] for frame in eve.taken[f"s:{eve.uid}"]]
        assert told[2:] == ["group_joined", "group_left"]


@pytest.mark.cluster_long
async def test_a_group_gets_hot_and_cool_with_somebody_away(hasty: Cluster, room: str) -> None:
    """Each device has each message once and in order, whatever it missed of the changes."""
    rare = [device(hasty, room, "bob", f"rare-{n}") for n in range(3)]
    async with friends(hasty, room) as (ann, bob, ann_there, bob_there):
        conv = await group_of(ann_there, room, bob.uid)
        for turn in range(3):
            async with rare[turn].online(hasty.access[turn % 2]):
                await say(bob_there, conv, "normal")
                await tag(hasty, conv, hot=True)
                last = (await say(ann_there, conv, "hot"))["seq"]
                await rare[turn].until_taken(conv, last)
            for n in range(10):
                await say(bob_there, conv, f"hot {n}")
            await tag(hasty, conv, hot=False)
            await until_entry(ann_there, conv, hot=False)
            for each in (ann, bob):
                await each.until_kind(conv, "cool", turn + 1)
        last = (await say(ann_there, conv, "the last"))["seq"]
        for each in (ann, bob):
            await each.until_taken(conv, last)
            assert each.seqs(conv) == [*range(1, last + 1)]
        for each in rare:
            async with each.online(hasty.access[1]):
                await each.until_taken(conv, last)
            assert each.seqs(conv) == [*range(each.seqs(conv)[0], last + 1)]


@pytest.mark.cluster_long
async def test_a_long_absence_is_answered_by_pages(hasty: Cluster, room: str) -> None:
    """More was missed than is pushed, part of it on a hot stream, and it goes on meanwhile."""
    away = device(hasty, room, "bob", "away", page=7)
    async with friends(hasty, room) as (ann, bob, ann_there, _):
        chat, conv = direct(ann.uid, bob.uid), await group_of(ann_there, room, bob.uid)
        async with away.online(hasty.access[0]):
            await say(ann_there, chat, "seen")
            await away.until_taken(chat, 1)
        for n in range(30):
            await say(ann_there, chat, f"missed {n}")
            await say(ann_there, conv, f"missed {n}")
        await tag(hasty, conv, hot=True)
        for n in range(30):
            await say(ann_there, conv, f"hot {n}")
            await say(ann_there, chat, f"more {n}")
        async with away.online(hasty.access[1]):
            assert away.welcome["standing"] == "behind"
            ends = [await say(ann_there, each, "live") for each in (chat, conv)]
            for end in ends:
                await away.until_taken(end["conv"], end["seq"])
        for each in (chat, conv):
            await bob.until_taken(each, away.seqs(each)[-1])
            assert away.seqs(each) == [*range(away.seqs(each)[0], bob.seqs(each)[-1] + 1)]
            assert away.texts(each) == bob.texts(each)
        assert max(away.synced) == 7


@pytest.mark.cluster_long
async def test_who_was_away_for_long_and_keeps_nothing_begins_at_the_end(
    hasty: Cluster, room: str
) -> None:
    async with friends(hasty, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        async with device(hasty, room, "bob", "kiosk").online(hasty.access[0]):
            pass
        for n in range(60):
            await say(ann_there, conv, str(n))
        await bob.until_taken(conv, 60)
        kiosk = device(hasty, room, "bob", "kiosk")
        async with kiosk.online(hasty.access[1]) as there:
            assert kiosk.welcome["standing"] == "behind"
            assert kiosk.welcome["start"] == kiosk.welcome["head"]
            last = await say(ann_there, conv, "live")
            await kiosk.until_taken(conv, last["seq"])
            assert kiosk.seqs(conv) == [61]
            page = await there.request("history", conv=conv, limit=100)
            assert [frame["seq"] for frame in page["frames"]] == [*range(1, 62)]
