"""The client over real sockets, against a fake cluster that fails on demand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import TypeVar

import pytest
import trio
from fake_cluster import FakeCluster

from relaymesh_client import (
    Client,
    Closed,
    Connected,
    Disconnected,
    EventQueue,
    Joined,
    Left,
    Push,
    Refused,
    Reset,
    Unanswered,
    connect,
    fixed,
)

T = TypeVar("T")


@asynccontextmanager
async def lobby(cluster: FakeCluster, uid: str = "ann") -> AsyncIterator[tuple[Client, EventQueue]]:
    with trio.fail_after(10):
        async with connect(fixed(*cluster.urls), uid, seed=Random(1)) as client:
            events = client.events()
            await client.join("lobby")
            await until(events, Joined)
            yield client, events


async def until(events: EventQueue, kind: type[T]) -> T:
    while True:
        event = await events.get()
        if isinstance(event, kind):
            return event


async def texts(events: EventQueue, count: int) -> list[str]:
    return [(await until(events, Push)).frame["text"] for _ in range(count)]


async def test_message_reaches_the_others_and_the_sender(cluster: FakeCluster) -> None:
    text = 'a "quote", \\ a \u2028 line, 🎁 and \u202eright to left'
    async with lobby(cluster) as (ann, ann_hears), lobby(cluster, "bob") as (_, bob_hears):
        published = await ann.chat("lobby", text)
        assert (published.priority, published.seq) == ("normal", 1)
        assert await texts(ann_hears, 1) == await texts(bob_hears, 1) == [text]


async def test_history_comes_before_the_rest(cluster: FakeCluster) -> None:
    for n in range(5):
        await cluster.publish("lobby", "chat", text=str(n))
    async with connect(fixed(*cluster.urls), "ann") as client:
        events = client.events("lobby")
        ok = await client.join("lobby", history=3)
        assert ok["streams"]["normal"]["seq"] == 2
        assert await texts(events, 3) == ["2", "3", "4"]


async def test_reconnect_resumes_on_the_other_node(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (_, events):
        await cluster.publish("lobby", "chat", text="before")
        assert await texts(events, 1) == ["before"]
        await cluster.close_all(1012)
        await cluster.publish("lobby", "chat", text="meanwhile")
        assert (await until(events, Disconnected)).reconnecting
        assert (await until(events, Connected)).node == "access-2"
        assert (await until(events, Joined)).resumed
        await cluster.publish("lobby", "chat", text="after")
        assert await texts(events, 2) == ["meanwhile", "after"]


async def test_lost_pushes_are_fetched_in_order(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (_, events):
        cluster.connections[0].lose = 3
        for n in range(5):
            await cluster.publish("lobby", "chat", text=str(n))
        assert await texts(events, 5) == ["0", "1", "2", "3", "4"]
        assert sum(each["op"] == "fetch" for each in cluster.requests) == 1


async def test_new_numbering_is_told_as_reset(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (_, events):
        await cluster.publish("lobby", "chat", text="old")
        await texts(events, 1)
        cluster.room("lobby").start_anew()
        await cluster.close_all(1012)
        assert (await until(events, Reset)).new.epoch == "e1'"
        resets = [await until(events, Reset), await until(events, Reset)]
        assert {reset.priority for reset in resets} == {"normal", "bulk"}
        await cluster.publish("lobby", "chat", text="new")
        assert await texts(events, 1) == ["new"]


async def test_publish_without_an_answer_is_repeated_and_published_once(
    cluster: FakeCluster,
) -> None:
    async with lobby(cluster) as (ann, events), trio.open_nursery() as nursery:
        cluster.swallow = lambda frame: frame["op"] == "chat"
        nursery.start_soon(ann.chat, "lobby", "once")
        assert await texts(events, 1) == ["once"]
        cluster.swallow = lambda _: False
        await cluster.close_all(1012)
    sent = [each for each in cluster.requests if each["op"] == "chat"]
    assert len(sent) == 2
    assert sent[0]["mid"] == sent[1]["mid"]
    assert cluster.room("lobby").head("normal") == 1


async def test_publish_waits_as_long_as_the_server_asks(cluster: FakeCluster) -> None:
    refusals = [{"code": "overloaded", "message": "busy", "retry_after_ms": 40}]
    cluster.refuse = lambda frame: refusals.pop() if frame["op"] == "chat" and refusals else None
    async with lobby(cluster) as (ann, _):
        began = trio.current_time()
        assert (await ann.chat("lobby", "hi")).seq == 1
        assert trio.current_time() - began >= 0.04


async def test_refusal_names_code_and_field(cluster: FakeCluster) -> None:
    error = {"code": "forbidden", "message": "hosts only", "field": "op"}
    cluster.refuse = lambda frame: error if frame["op"] == "speech" else None
    async with lobby(cluster) as (ann, _):
        with pytest.raises(Refused, match="hosts only") as caught:
            await ann.speech("lobby", "hear me")
        assert (caught.value.code, caught.value.field) == ("forbidden", "op")


async def test_likes_are_merged_into_few_frames(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, _):
        for _ in range(1500):
            ann.like("lobby")
        await ann.likes_confirmed("lobby")
        frames = [each["count"] for each in cluster.requests if each["op"] == "like"]
        assert frames == [1000, 500]
        assert cluster.room("lobby").likes == 1500
        assert ann.uncertain_likes == 0


async def test_like_without_an_answer_is_never_sent_twice(cluster: FakeCluster) -> None:
    cluster.swallow = lambda frame: frame["op"] == "like"
    async with lobby(cluster) as (ann, events):
        ann.like("lobby", 7)
        while not cluster.room("lobby").likes:
            await trio.sleep(0.01)
        await cluster.close_all(1012)
        assert (await until(events, Joined)).resumed
        await ann.likes_confirmed("lobby")
        assert ann.uncertain_likes == 7
        assert cluster.room("lobby").likes == 7


async def test_close_that_forbids_a_return_ends_the_client(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events):
        await cluster.close_all(4004)
        assert not (await until(events, Disconnected)).reconnecting
        with pytest.raises(Closed, match="4004"):
            await events.get()
        with pytest.raises(Closed, match="4004"):
            await ann.chat("lobby", "hello?")


async def test_bad_token_is_not_tried_again(cluster: FakeCluster) -> None:
    cluster.bad_tokens = {"bad": 4001}
    with pytest.raises(Closed, match="token_invalid"):
        async with connect(fixed(*cluster.urls), "bad"):
            pass
    assert len(cluster.requests) == 1


async def test_expired_token_is_replaced_by_a_fresh_one(cluster: FakeCluster) -> None:
    cluster.bad_tokens = {"old": 4002}
    tokens = iter(["old", "new"])
    async with connect(fixed(*cluster.urls), lambda: next(tokens)) as client:
        assert await client.ping() < 5
    assert [each["token"] for each in cluster.requests if each["op"] == "hello"] == ["old", "new"]


async def test_server_that_falls_silent_is_left_for_another(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relaymesh_client.keepalive.PING_S", 0.05)
    cluster.heartbeat_ms = 50
    async with lobby(cluster) as (_, events):
        cluster.swallow = lambda frame: frame["op"] == "ping"
        ended = await until(events, Disconnected)
        assert (ended.code, ended.reconnecting) == (None, True)
        assert (await until(events, Connected)).node == "access-2"


async def test_nothing_there_is_one_clear_error(free_port: int) -> None:
    with pytest.raises(Closed, match="not connected within"):
        async with connect(fixed(f"ws://127.0.0.1:{free_port}/v1"), "ann", connect_timeout_s=0.5):
            pass


async def test_join_without_an_answer_is_given_up(cluster: FakeCluster) -> None:
    cluster.swallow = lambda frame: frame["op"] == "join"
    async with connect(fixed(*cluster.urls), "ann") as client:
        with pytest.raises(Unanswered):
            await client.join("lobby", timeout_s=0.1)


async def test_leaving_ends_the_rooms_pushes(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, _):
        await ann.leave("lobby")
        assert cluster.room("lobby").members == []
        with pytest.raises(Refused, match="joined"):
            await ann.join("other")
            await ann.join("other")


async def test_refused_join_is_told_as_left(cluster: FakeCluster) -> None:
    async with connect(fixed(*cluster.urls), "ann") as client:
        events = client.events()
        await client.join("lobby")
        await cluster.close_all(1012)
        await until(events, Connected)
        await client.leave("lobby")
        error = {"code": "too_many_rooms", "message": "full"}
        cluster.refuse = lambda frame: error if frame["op"] == "join" else None
        with pytest.raises(Refused, match="full"):
            await client.join("lobby")
        assert (await until(events, Left)).room == "lobby"


async def test_a_node_without_room_is_left_alone_for_as_long_as_it_asks(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    cluster.retry_after_s = {"access-1": [7], "access-2": [7]}
    began = trio.current_time()
    async with connect(fixed(*cluster.urls), "ann", seed=Random(1), connect_timeout_s=60):
        assert 7 <= trio.current_time() - began < 9
    assert not any(cluster.retry_after_s.values())


async def test_another_node_is_tried_before_one_that_asked_to_be_left_alone(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    cluster.retry_after_s = {"access-1": [7]}
    began = trio.current_time()
    async with connect(fixed(*cluster.urls), "ann", seed=Random(1)):
        assert trio.current_time() - began < 1
        assert [each.node for each in cluster.connections] == ["access-2"]
