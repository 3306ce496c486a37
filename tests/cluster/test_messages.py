"""Instant messages in a real cluster, by a client written from the document: each once, in order,
on every device."""

import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection
from tests.cluster.independent_messenger import direct, say
from tests.cluster.messengers import befriend, device, entry, friends, group_of, until_entry


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


async def order(connection: Connection) -> list[str]:
    """Return the session list."""
    return [each["conv"] for each in (await connection.request("sessions"))["sessions"]]


async def until_listed(connection: Connection, conv: str) -> None:
    with trio.fail_after(5):
        while conv not in await order(connection):
            await trio.sleep(0.05)
