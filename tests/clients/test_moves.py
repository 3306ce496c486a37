"""The client follows orders to move, to the letter, and to where there is somebody."""

from functools import partial
from typing import Any

import pytest
import trio
import trio_websocket as tws
from fake_cluster import FakeCluster, Frame
from test_client import lobby, texts, until

from relaymesh_client import Disconnected, Joined, Moved, Push, Reset
from relaymesh_client.moves import LONGEST_DELAY_S, order_of

DEAD = "ws://127.0.0.1:9/v1"


def move(*urls: str, room: str = "lobby", **fields: Any) -> Frame:
    endpoints = [{"url": url, "node": "n"} for url in urls]
    order = {"push": "move", "room": room, "endpoints": endpoints, "resume": "t1"}
    return {**order, "delay_ms": 0, "deadline_ms": 10_000, **fields}


def hellos(cluster: FakeCluster) -> list[Frame]:
    return [frame for frame in cluster.requests if frame["op"] == "hello"]


async def told(cluster: FakeCluster, order: Frame) -> None:
    await cluster.connections[0].send(order)


async def test_a_move_is_followed_with_token_and_positions(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events):
        await cluster.publish("lobby", "chat", text="before")
        assert await texts(events, 1) == ["before"]
        await told(cluster, move(cluster.urls[1]))
        moved = await until(events, Moved)
        assert (moved.room, moved.old_node, moved.new_node) == ("lobby", "access-1", "access-2")
        assert 0 <= moved.gap_s < 2
        assert (await until(events, Joined)).resumed
        last = hellos(cluster)[-1]
        assert last["resume"] == "t1"
        assert last["join"][0]["since"]["normal"] == {"epoch": "e1", "seq": 1}
        await ann.chat("lobby", "after")
        assert await texts(events, 1) == ["after"]
        assert [each.node for each in cluster.connections] == ["access-2"]


async def test_what_is_said_meanwhile_comes_once_and_in_order(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events), trio.open_nursery() as nursery:

        async def talk() -> None:
            for number in range(60):
                await ann.gift("lobby", "rose", 1, receipt="r", text=f"{number}")

        nursery.start_soon(talk)
        for turn in range(4):
            await texts(events, 10)
            await told(cluster, move(cluster.urls[(turn + 1) % 2]))
            assert (await until(events, Moved)).new_node == f"access-{(turn + 1) % 2 + 1}"
            # What came meanwhile was passed over by `until`: the log has it all, once.
        await trio.sleep(0)
    log = [frame["text"] for frame in cluster.room("lobby").log["normal"]]
    assert log == [f"{number}" for number in range(60)]


async def test_every_push_of_a_moving_room_comes_once(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (_, events):
        seen: list[str] = []
        async with trio.open_nursery() as nursery:

            async def publish() -> None:
                for number in range(100):
                    await cluster.publish("lobby", "chat", text=f"{number}")
                    await trio.sleep(0.002)

            nursery.start_soon(publish)
            turn = 0
            while len(seen) < 100:
                event = await events.get()
                if isinstance(event, Push):
                    seen.append(event.frame["text"])
                    if len(seen) % 30 == 0:
                        turn += 1
                        await told(cluster, move(cluster.urls[turn % 2]))
                assert not isinstance(event, Reset)
        assert seen == [f"{number}" for number in range(100)]
        assert turn == 3


async def test_a_dead_endpoint_is_passed_over(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (_, events):
        await told(cluster, move(DEAD, cluster.urls[1]))
        assert (await until(events, Moved)).new_node == "access-2"


async def test_where_nobody_answers_the_client_stays_until_it_is_closed(
    cluster: FakeCluster,
) -> None:
    async with lobby(cluster) as (ann, events):
        await told(cluster, move(DEAD))
        await ann.chat("lobby", "still here")
        assert await texts(events, 1) == ["still here"]
        await cluster.close_all(4010)
        gone = await until(events, Disconnected)
        assert (gone.code, gone.reconnecting) == (4010, True)
        assert (await until(events, Joined)).resumed
        assert "resume" not in hellos(cluster)[-1]


async def test_a_connection_that_ends_while_the_next_is_opened_is_followed_by_that(
    cluster: FakeCluster,
) -> None:
    opened = trio.Event()

    async def slow(request: Any) -> None:
        await opened.wait()
        await cluster._accept("access-2", request)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(tws.serve_websocket, slow, "127.0.0.1", 0, None))
        async with lobby(cluster) as (_, events):
            await told(cluster, move(f"ws://127.0.0.1:{server.port}/v1"))
            await trio.sleep(0.05)
            await cluster.connections[0].ws.aclose(4010)
            opened.set()
            assert (await until(events, Moved)).new_node == "access-2"
            assert len(hellos(cluster)) == 2
        nursery.cancel_scope.cancel()


async def test_a_token_that_is_refused_is_left_out(cluster: FakeCluster) -> None:
    refused = {"code": "token_invalid", "message": "resume: used", "field": "resume"}
    cluster.refuse = lambda frame: refused if "resume" in frame else None
    async with lobby(cluster) as (_, events):
        await told(cluster, move(cluster.urls[1]))
        assert (await until(events, Moved)).new_node == "access-2"
        assert (await until(events, Joined)).resumed
        assert ["resume" in each for each in hellos(cluster)] == [False, True, False]
        assert hellos(cluster)[2]["join"] == hellos(cluster)[1]["join"]


async def test_a_room_that_was_left_moves_nobody(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, _):
        await ann.join("den")
        await told(cluster, move(cluster.urls[1], delay_ms=50))
        await ann.leave("lobby")
        await trio.sleep(0.1)
        assert (await ann.ping()) >= 0
        assert [each.node for each in cluster.connections] == ["access-1"]


async def test_the_room_of_the_move_is_joined_with_hello_among_many(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events):
        for number in range(25):
            await ann.join(f"room-{number}")
        await told(cluster, move(cluster.urls[1], room="room-24"))
        await until(events, Moved)
        assert hellos(cluster)[-1]["join"][0]["room"] == "room-24"
        assert len(hellos(cluster)[-1]["join"]) == 20


async def test_the_order_is_followed_after_its_delay_and_a_later_one_counts(
    cluster: FakeCluster,
) -> None:
    async with lobby(cluster) as (_, events):
        await told(cluster, move(DEAD, delay_ms=30))
        await told(cluster, move(cluster.urls[1], delay_ms=60, room=""))
        began = trio.current_time()
        moved = await until(events, Moved)
        assert moved.room == ""
        assert trio.current_time() - began >= 0.03
        assert cluster.connections[-1].node == "access-2"


@pytest.mark.parametrize(
    "order",
    [
        {"push": "move"},
        move(),
        move("ws://x", endpoints="ws://x"),
        move("ws://x", endpoints=[7, {"node": "n"}]),
        move("ws://x", resume=None),
        move("ws://x", room=7),
        move("ws://x", delay_ms="soon"),
        move("ws://x", delay_ms=-1),
        move("ws://x", delay_ms=float("nan")),
    ],
)
def test_an_order_that_makes_no_sense_is_none(order: Frame) -> None:
    assert order_of(order, 0.0) is None


def test_no_delay_is_for_ever() -> None:
    order = order_of(move("ws://x", delay_ms=10**400), 5.0)
    assert order is not None
    assert order.at == 5.0 + LONGEST_DELAY_S
