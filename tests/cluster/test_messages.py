"""Instant messages in a real cluster, by a client written from the document: each once, in order,
on every device, on whichever node, also after an absence and on a hot group's stream."""

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection
from tests.cluster.independent_messenger import MAILBOX, direct, say
from tests.cluster.messengers import befriend, device, entry, friends, group_of, tag, until_entry


async def test_two_friends_on_two_nodes_and_three_devices(cluster: Cluster, room: str) -> None:
    ann, laptop = device(cluster, room, "ann"), device(cluster, room, "ann", "laptop")
    bob = device(cluster, room, "bob")
    conv = direct(ann.uid, bob.uid)
    async with (
        ann.online(cluster.access[0]) as ann_there,
        laptop.online(cluster.access[1]),
        bob.online(cluster.access[1]) as bob_there,
    ):
        await befriend(ann_there, bob_there, ann.uid, bob.uid)

        async def talk(connection: Connection, who: str) -> None:
            for n in range(20):
                await say(connection, conv, f"{who}{n}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, ann_there, "a")
            nursery.start_soon(talk, bob_there, "b")
        for each in (ann, laptop, bob):
            await each.until_taken(conv, 40)
            assert each.seqs(conv) == [*range(1, 41)]
            assert each.texts(conv) == ann.texts(conv)
            assert each.duplicates == 0
        for who in "ab":
            of = [text for text in ann.texts(conv) if text[0] == who]
            assert of == [f"{who}{n}" for n in range(20)]
        told = [(frame["kind"], frame["uid"]) for frame in bob.taken[f"s:{bob.uid}"]]
        assert told == [("friend_request", ann.uid), ("friend_accepted", bob.uid)]


async def test_what_is_sent_without_waiting_and_again_is_there_once_in_order(
    cluster: Cluster, room: str
) -> None:
    tablet = device(cluster, room, "ann", "tablet")
    async with friends(cluster, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        for n in range(30):
            await ann_there.tell("send", id=1000 + n, conv=conv, text=str(n), mid=f"mid-{n}")
        answers = [await ann_there.answer(1000 + n) for n in range(30)]
        assert [ok["seq"] for ok in answers] == [*range(1, 31)]
        assert await say(ann_there, conv, "other words", "mid-7") == answers[7]
        async with tablet.online(cluster.access[1]) as elsewhere:
            assert await say(elsewhere, conv, "again", "mid-7") == answers[7]
            last = await say(elsewhere, conv, "last")
        await bob.until_taken(conv, last["seq"])
        assert bob.seqs(conv) == [*range(1, 32)]
        assert bob.texts(conv) == [*map(str, range(30)), "last"]


async def test_a_group_of_three(cluster: Cluster, room: str) -> None:
    eve = device(cluster, room, "eve")
    async with (
        friends(cluster, room) as (ann, bob, ann_there, bob_there),
        eve.online(cluster.access[1]) as eve_there,
    ):
        await befriend(ann_there, eve_there, ann.uid, eve.uid)
        conv = await group_of(ann_there, room, bob.uid, eve.uid)
        for n in range(5):
            for connection in (ann_there, bob_there, eve_there):
                await say(connection, conv, str(n), mentions=[bob.uid])
        for each in (ann, bob, eve):
            await each.until_taken(conv, 16)
            assert each.seqs(conv) == [*range(1, 17)]
            assert each.taken[conv][0]["kind"] == "group_created"
            assert each.texts(conv) == [str(n) for n in range(5) for _ in range(3)]
        left = await eve_there.request("group_leave", conv=conv)
        after = await say(ann_there, conv, "without Eve")
        await bob.until_taken(conv, after["seq"])
        await eve.until_taken(f"s:{eve.uid}", eve.seqs(f"s:{eve.uid}")[-1])
        assert (await entry(eve_there, conv))["left"]
        assert eve.seqs(conv)[-1] == left["seq"]


async def test_what_was_read_is_shared_and_told(cluster: Cluster, room: str) -> None:
    laptop = device(cluster, room, "bob", "laptop")
    async with (
        friends(cluster, room) as (ann, bob, ann_there, bob_there),
        laptop.online(cluster.access[0]) as laptop_there,
    ):
        conv = direct(ann.uid, bob.uid)
        for text in ("one", "two", "three"):
            await say(ann_there, conv, text)
        await bob.until_taken(conv, 3)
        found = await until_entry(bob_there, conv, unread=3, last_seq=3, read_seq=0)
        assert found["last"]["body"] == {"text": "three"}
        assert found["kind"] == "direct"
        assert "stream" not in found["last"]
        read = await bob_there.request("read", conv=conv, seq=2)
        assert read == {"conv": conv, "seq": 2}
        await ann.until_told("receipt", conv=conv, uid=bob.uid, seq=2)
        await laptop.until_told("receipt", conv=conv, uid=bob.uid, seq=2)
        await until_entry(laptop_there, conv, unread=1, read_seq=2)
        await until_entry(ann_there, conv, unread=0, peer_read_seq=2)
        assert (await bob_there.request("read", conv=conv, seq=1))["seq"] == 2
        await say(bob_there, conv, "four")  # who answers has read
        await until_entry(laptop_there, conv, unread=0)
        await ann_there.request("typing", conv=conv)
        await bob.until_told("typing", conv=conv, uid=ann.uid, on=True)


async def test_taken_back_and_looked_up(cluster: Cluster, room: str) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, bob_there):
        conv = direct(ann.uid, bob.uid)
        for n in range(1, 6):
            await say(ann_there, conv, str(n))
        told = await ann_there.request("recall", conv=conv, seq=2)
        assert (told["target"], told["seq"]) == (2, 6)
        assert await ann_there.request("recall", conv=conv, seq=2) == told
        await bob.until_taken(conv, 6)
        last = bob.taken[conv][-1]
        assert (last["kind"], last["body"], last["id"]) == ("recall", {"target": 2}, told["id"])
        page = await bob_there.request("history", conv=conv, after=0, limit=3)
        assert [frame["seq"] for frame in page["frames"]] == [1, 2, 3]
        assert (page["oldest"], page["head"]) == (1, 6)
        assert [frame["body"] for frame in page["frames"]] == [{"text": "1"}, {}, {"text": "3"}]
        assert [frame.get("recalled", False) for frame in page["frames"]] == [False, True, False]
        page = await bob_there.request("history", conv=conv, before=4, limit=2)
        assert [frame["seq"] for frame in page["frames"]] == [2, 3]


async def test_the_list_is_kept_in_order_pinned_first(cluster: Cluster, room: str) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, bob_there):
        chat = direct(ann.uid, bob.uid)
        groups = [await group_of(ann_there, f"{room}-{n}", bob.uid) for n in range(3)]
        for conv in (*groups, chat):
            await say(ann_there, conv, "hello")
        await until_entry(bob_there, chat, unread=1)
        assert await order(bob_there) == [chat, *reversed(groups)]
        said = await bob_there.request("session_set", conv=groups[0], pinned=True, muted=True)
        assert said == {"conv": groups[0], "pinned": True, "muted": True, "hidden": False}
        await bob_there.request("session_set", conv=groups[1], hidden=True)
        assert await order(bob_there) == [groups[0], chat, groups[2]]
        await say(ann_there, groups[1], "back")
        await until_listed(bob_there, groups[1])
        assert await order(bob_there) == [groups[0], groups[1], chat, groups[2]]


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


async def order(connection: Connection) -> list[str]:
    """Return the session list."""
    return [each["conv"] for each in (await connection.request("sessions"))["sessions"]]


async def until_listed(connection: Connection, conv: str) -> None:
    with trio.fail_after(5):
        while conv not in await order(connection):
            await trio.sleep(0.05)
