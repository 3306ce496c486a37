"""The whole road, with a client that knows docs/protocol.md and nothing else: everything that the
document promises, between two nodes of a real cluster."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection, RefusedError, Viewer, connected, greeted

TEXTS = [
    "hi",
    "ünï ✓ 漢字 👩‍👩‍👧",
    '"\\/\b\f\n\r\t\x00\x1f',
    "</script>&amp;",
    "\u2028\u2029",
    "x" * 2000,
]


async def both(cluster: Cluster, stack: AsyncExitStack, room: str) -> tuple[Connection, Connection]:
    """Ann on the first node and Bob, who hosts the room, on the second."""
    ann = greeted(cluster.access[0], cluster.token("ann", name="Ann"), room)
    bob = greeted(cluster.access[1], cluster.token("bob", name="Bob", host=[room]), room)
    return await stack.enter_async_context(ann), await stack.enter_async_context(bob)


async def test_each_kind_reaches_both_nodes_as_documented(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        chat = await ann.request("chat", room=room, text="hi", mid="m-1")
        speech = await bob.request("speech", room=room, text="welcome")
        rose = await ann.request("gift", **cluster.paid("ann", room, gift="rose", value=1))
        paid = cluster.paid("ann", room, gift="car", value=1_000_000, count=2)
        car = await ann.request("gift", **paid, text="for you", mid="m-2")
        priorities = [each["priority"] for each in (chat, speech, rose, car)]
        assert priorities == ["normal", "urgent", "normal", "urgent"]
        assert [each["seq"] for each in (chat, speech, rose, car)] == [1, 1, 2, 2]
        assert set(chat) == {"room", "priority", "epoch", "seq", "ts", "mid"}
        for client in (ann, bob):
            await client.until(lambda client=client: len(client.of("gift")) == 2)
            (said,), (spoken,) = client.of("chat"), client.of("speech")
            gifts = {gift["gift"]: gift for gift in client.of("gift")}
            assert said == {
                **chat,
                "push": "chat",
                "uid": "ann",
                "name": "Ann",
                "role": "viewer",
                "text": "hi",
                "trace": said["trace"],
            }
            assert (spoken["uid"], spoken["role"], spoken["text"]) == ("bob", "host", "welcome")
            assert gifts["car"] == {
                **car,
                "push": "gift",
                "uid": "ann",
                "name": "Ann",
                "role": "viewer",
                "gift": "car",
                "value": 1_000_000,
                "count": 2,
                "text": "for you",
                "trace": gifts["car"]["trace"],
            }
            assert (gifts["rose"]["count"], gifts["rose"]["text"]) == (1, "")
            assert not client.of("reset") + client.of("skipped")


async def test_text_arrives_unchanged(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        for text in TEXTS:
            await ann.request("chat", room=room, text=text)
        await bob.until(lambda: len(bob.of("chat")) == len(TEXTS))
        assert [push["text"] for push in bob.of("chat")] == TEXTS


async def test_what_is_sent_at_once_arrives_in_order(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        answers: dict[str, int] = {}

        async def say(client: Connection, text: str) -> None:
            answers[text] = (await client.request("chat", room=room, text=text))["seq"]

        async with trio.open_nursery() as nursery:
            for n in range(40):
                nursery.start_soon(say, ann, f"a{n}")
                nursery.start_soon(say, bob, f"b{n}")
        for client in (ann, bob):
            await client.until(lambda client=client: len(client.of("chat")) == 80)
            assert [push["seq"] for push in client.of("chat")] == list(range(1, 81))
            assert {push["text"]: push["seq"] for push in client.of("chat")} == answers


async def test_a_mid_is_published_once_whatever_the_connection(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        first = await ann.request("chat", room=room, text="once", mid="again")
        assert await ann.request("chat", room=room, text="twice", mid="again") == first
        async with greeted(cluster.access[1], cluster.token("ann"), room) as other:
            assert await other.request("chat", room=room, text="thrice", mid="again") == first
        # The same id of somebody else is somebody else's message.
        second = await bob.request("chat", room=room, text="mine", mid="again")
        await bob.until(lambda: len(bob.of("chat")) == 2)
        assert [push["text"] for push in bob.of("chat")] == ["once", "mine"]
        assert second["seq"] == first["seq"] + 1


@pytest.mark.cluster_long
async def test_likes_are_counted_exactly(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        counts = [1, 1000, 17, 30]

        async def like(client: Connection, count: int) -> None:
            assert await client.request("like", room=room, count=count) == {"counted": count}

        async with trio.open_nursery() as nursery:
            for count in counts:
                nursery.start_soon(like, ann, count)
                nursery.start_soon(like, bob, count)
        assert await ann.request("like", room=room) == {"counted": 1}
        total = 2 * sum(counts) + 1
        for client in (ann, bob):
            await client.until(
                lambda client=client: [p["total"] for p in client.of("likes")][-1:] == [total]
            )
        async with greeted(cluster.access[0], cluster.token("carl")) as carl:
            joined = await carl.request("join", room=room)
            assert (joined["likes"], joined["role"]) == (total, "viewer")


async def test_online_tells_who_came(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, _ = await both(cluster, stack, room)
        await ann.until(lambda: [p["online"] for p in ann.of("online")][-1:] == [2])
        entered = {uid for push in ann.of("online") for uid in push["entered"]}
        assert entered <= {"ann", "bob"}
        assert all(push["priority"] == "bulk" for push in ann.of("online"))


async def test_history_comes_first_and_starts_where_streams_says(
    cluster: Cluster, room: str
) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        for n in range(5):
            await ann.request("chat", room=room, text=str(n))
        async with greeted(cluster.access[1], cluster.token("bob")) as bob:
            joined = await bob.request("join", room=room, history=3)
            await bob.until(lambda: len(bob.of("chat")) == 3)
            assert joined["streams"]["normal"] == {"epoch": joined["epoch"], "seq": 2}
            assert [push["seq"] for push in bob.of("chat")] == [3, 4, 5]
            await ann.request("chat", room=room, text="live")
            await bob.until(lambda: len(bob.of("chat")) == 4)
            assert [push["text"] for push in bob.of("chat")] == ["2", "3", "4", "live"]


async def test_a_client_resumes_on_the_other_node(cluster: Cluster, room: str) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        sent = [await ann.request("chat", room=room, text=str(n)) for n in range(6)]
        at = {"epoch": sent[0]["epoch"], "seq": 2}
        async with connected(cluster.access[1]) as bob:
            spec = {"room": room, "since": {"normal": at}}
            ok = await bob.request("hello", token=cluster.token("bob"), join=[spec])
            assert ok["rooms"][room]["streams"]["normal"] == at
            await bob.until(lambda: len(bob.of("chat")) == 4)
            assert [push["seq"] for push in bob.of("chat")] == [3, 4, 5, 6]
            await ann.request("chat", room=room, text="live")
            await bob.until(lambda: len(bob.of("chat")) == 5)


@pytest.mark.parametrize("seq", [0, 1, 10**6])
async def test_a_position_of_another_numbering_is_reset(
    cluster: Cluster, room: str, seq: int
) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        said = await ann.request("chat", room=room, text="before")
        async with greeted(cluster.access[1], cluster.token("bob")) as bob:
            await bob.request("join", room=room, since={"normal": {"epoch": "gone", "seq": seq}})
            await bob.until(lambda: len(bob.of("reset")) == 1)
            (reset,) = bob.of("reset")
            assert (reset["priority"], reset["epoch"]) == ("normal", said["epoch"])
            live = await ann.request("chat", room=room, text="live")
            await bob.until(lambda: any(p["text"] == "live" for p in bob.of("chat")))
            seqs = [push["seq"] for push in bob.of("chat")]
            assert seqs == list(range(reset["seq"] + 1, live["seq"] + 1))


@pytest.mark.cluster_long
async def test_a_position_ahead_of_the_head_does_not_silence_the_stream(
    cluster: Cluster, room: str
) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        said = await ann.request("chat", room=room, text="before")
        ahead = {"epoch": said["epoch"], "seq": 10**9}
        async with greeted(cluster.access[1], cluster.token("bob")) as bob:
            await bob.request("join", room=room, since={"normal": ahead})
            await ann.request("chat", room=room, text="live")
            await bob.until(lambda: any(p["text"] == "live" for p in bob.of("chat")))
            assert [push["push"] for push in bob.pushes if push.get("priority") == "normal"] == [
                "reset",
                "chat",
            ]


async def test_what_the_log_has_lost_is_told_with_a_reset(cluster: Cluster, room: str) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        said = [await ann.request("chat", room=room, text=str(n)) for n in range(5)]
        with cluster.server("store") as store:
            store.delete(f"rm:{{{room}}}:log:normal")
        async with greeted(cluster.access[1], cluster.token("bob")) as bob:
            since = {"normal": {"epoch": said[0]["epoch"], "seq": 1}}
            await bob.request("join", room=room, since=since)
            await bob.until(lambda: len(bob.of("reset")) == 1)
            (reset,) = bob.of("reset")
            assert (reset["epoch"], reset["seq"]) == (said[0]["epoch"], 5)
            await ann.request("chat", room=room, text="live")
            await bob.until(lambda: [push["seq"] for push in bob.of("chat")] == [6])


async def test_fetch_gives_the_rooms_pushes(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        for n in range(5):
            await ann.request("chat", room=room, text=str(n))
        await bob.until(lambda: len(bob.of("chat")) == 5)
        epoch = bob.of("chat")[0]["epoch"]

        async def fetch(**changed: Any) -> dict[str, Any]:
            asked = {"room": room, "priority": "normal", "epoch": epoch, "from_": 2, "to": 4}
            return await bob.request("fetch", **(asked | changed))

        found = await fetch()
        assert (found["epoch"], found["head"], found["oldest"]) == (epoch, 5, 1)
        assert found["frames"] == bob.of("chat")[1:4]
        beyond = await fetch(from_=5, to=204)
        assert [frame["seq"] for frame in beyond["frames"]] == [5]
        other = await fetch(epoch="other")
        assert (other["epoch"], other["frames"]) == (epoch, [])
        assert (await fetch(from_=0, to=1))["frames"] == bob.of("chat")[:1]
        for bad in ({"from_": 4, "to": 3}, {"from_": 1, "to": 201}):
            with pytest.raises(RefusedError) as refused:
                await fetch(**bad)
            assert (refused.value.code, refused.value.field) == ("bad_frame", "to")


async def test_leaving_ends_the_pushes(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        assert await bob.request("leave", room=room) == {}
        before = len(bob.pushes)
        await ann.request("chat", room=room, text="unheard")
        await ann.until(lambda: bool(ann.of("chat")))
        assert set(await bob.request("ping")) == {"ts"}
        assert bob.pushes[before:] == []
        for op in ("leave", "chat", "like", "fetch"):
            fields: dict[str, Any] = {
                "chat": {"text": "x"},
                "fetch": {"priority": "normal", "epoch": "x", "from_": 1, "to": 2},
            }.get(op, {})
            with pytest.raises(RefusedError) as refused:
                await bob.request(op, room=room, **fields)
            assert (refused.value.code, refused.value.field) == ("not_joined", "room")
        await bob.request("join", room=room)
        await ann.request("chat", room=room, text="heard")
        # Bob's node may be behind Ann's: then what it had not seen yet comes behind its heads.
        await bob.until(lambda: [p["text"] for p in bob.of("chat")][-1:] == ["heard"])


async def test_joining_twice_doubles_nothing(cluster: Cluster, room: str) -> None:
    async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(lambda: ann.request("join", room=room))
        for n in range(3):
            await ann.request("chat", room=room, text=str(n))
        await ann.until(lambda: len(ann.of("chat")) >= 3)
        await ann.request("ping")
        assert [push["seq"] for push in ann.of("chat")] == [1, 2, 3]


async def test_a_back_end_publishes_to_rooms_and_users(cluster: Cluster, room: str) -> None:
    data = {"sale": [1.50, "ünï", None]}
    async with AsyncExitStack() as stack:
        ann, bob = await both(cluster, stack, room)
        phone = await stack.enter_async_context(
            greeted(cluster.access[1], cluster.token("ann"), room)
        )
        everybody = (ann, bob, phone)
        for priority in ("urgent", "normal", "bulk"):
            body = {"data": data, "priority": priority, "mid": f"n-{priority}"}
            for _ in range(2):
                status, _ = await cluster.publish(f"/v1/rooms/{room}/publish", body)
                assert status == 200
        for client in everybody:
            await client.until(lambda client=client: len(client.of("notice")) == 3)
            notices = {push["priority"]: push for push in client.of("notice")}
            assert set(notices) == {"urgent", "normal", "bulk"}
            assert all(push["data"] == data for push in notices.values())
        assert (await cluster.publish("/v1/users/ann/publish", {"data": 1, "mid": "d-1"}))[0] == 200
        both_users = {"data": 2, "mid": "d-2", "uids": ["ann", "bob", "nobody", "ann"]}
        assert (await cluster.publish("/v1/users/publish", both_users))[0] == 200
        for client, told in ((ann, 2), (phone, 2), (bob, 1)):
            await client.until(lambda client=client, told=told: len(client.of("direct")) >= told)
            assert [push["data"] for push in client.of("direct")] == [1, 2][-told:]
            assert set(client.of("direct")[0]) == {"push", "mid", "ts", "trace", "data"}


async def test_hello_joins_what_can_be_joined(cluster: Cluster, room: str) -> None:
    assert sorted(await cluster.urls()) == sorted(cluster.access)
    async with connected(cluster.access[0]) as ann:
        names = [f"{room}-{n}" for n in range(20)]
        token = cluster.token("ann", host=[names[3]])
        join = [{"room": name} for name in names]
        ok = await ann.request("hello", token=token, client="demo/1", join=join)
        assert set(ok) == {"uid", "node", "session", "heartbeat_ms", "rooms"}
        assert (ok["uid"], ok["node"], list(ok["rooms"])) == ("ann", "access-1", names)
        roles = [ok["rooms"][name]["role"] for name in names]
        assert [n for n, role in enumerate(roles) if role == "host"] == [3]
        for joined in ok["rooms"].values():
            keys = {"room", "epoch", "streams", "online", "likes", "carrier", "role"}
            assert set(joined) == keys
            assert joined["epoch"]
            assert set(joined["streams"]) == {"urgent", "normal", "bulk"}


@pytest.mark.cluster_long
async def test_a_stream_goes_on_where_a_client_was_away_for_long(
    cluster: Cluster, room: str
) -> None:
    """More is missed than one fetch gives."""
    async with trio.open_nursery() as nursery:
        viewer = Viewer(cluster.urls, cluster.token("viewer"), room)
        await nursery.start(viewer.run)
        async with greeted(cluster.access[0], cluster.token("ann"), room) as ann:
            await ann.request("chat", room=room, text="first")
            assert viewer._connection is not None
            await viewer._connection.stream.aclose()
            for n in range(450):
                await ann.request("chat", room=room, text=str(n))
                await trio.sleep(0.021)
            with trio.fail_after(10):
                while len(viewer.tracks["normal"].seen) < 451:
                    await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert [push["seq"] for push in viewer.tracks["normal"].seen] == list(range(1, 452))
    assert viewer.connects == 2
