"""Instant messages over real sockets, against a fake cluster that fails on demand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

import pytest
import trio
from fake_cluster import FakeCluster

from proto.client_requests import IM_REQUESTS, Hello, parse
from proto.requests.devices import Watch
from relaymesh_client import (
    Acknowledged,
    Client,
    Connected,
    Draft,
    EventQueue,
    ImPosition,
    ImUnavailable,
    MailboxReset,
    Message,
    NotSent,
    OutboxFull,
    Presence,
    Receipt,
    Refused,
    Typing,
    Unanswered,
    connect,
    fixed,
)
from relaymesh_client.conversations import direct

T = TypeVar("T")
CHAT = direct("ann", "bob")


@asynccontextmanager
async def phone(
    cluster: FakeCluster, uid: str = "ann", **options: Any
) -> AsyncIterator[tuple[Client, EventQueue]]:
    with trio.fail_after(10):
        async with connect(
            fixed(*cluster.urls), uid, device=f"{uid}-phone", seed=Random(1), **options
        ) as client:
            yield client, client.im.events()


async def until(events: EventQueue, kind: type[T]) -> T:
    while True:
        event = await events.get()
        if isinstance(event, kind):
            return event


async def texts(events: EventQueue, count: int) -> list[str]:
    return [(await until(events, Message)).body["text"] for _ in range(count)]


async def acked(cluster: FakeCluster, device: str, n: int) -> None:
    while cluster.messages.acked.get(device, 0) < n:
        await trio.sleep(0.005)


async def test_a_message_reaches_the_other_and_the_sender(cluster: FakeCluster) -> None:
    async with phone(cluster) as (ann, ann_hears), phone(cluster, "bob") as (_, bob_hears):
        sent = await ann.im.send(CHAT, text="hi", reply_to=3, mid="m1")
        assert (sent.conv, sent.seq, sent.mid) == (CHAT, 1, "m1")
        message = await until(bob_hears, Message)
        assert (message.conv, message.seq, message.id) == (CHAT, 1, sent.id)
        assert (message.uid, message.kind, message.stream, message.n) == (
            ("ann", "message", "mailbox", 1)
        )
        assert message.body == {"text": "hi", "reply_to": 3}
        assert (await until(ann_hears, Message)).mid == "m1"
        assert (await until(ann_hears, Acknowledged)).sent == sent
        await acked(cluster, "bob-phone", 1)


async def test_what_came_before_the_first_reader_is_not_lost(cluster: FakeCluster) -> None:
    await cluster.say(CHAT, "bob", "m1", text="early")
    position = ImPosition("e1", 0)
    source = fixed(*cluster.urls)
    async with connect(source, "ann", device="ann-phone", position=position) as client:
        await client.ping()
        await trio.sleep(0.1)
        assert cluster.messages.acked["ann-phone"] == 0
        assert await texts(client.events(), 1) == ["early"]
        await acked(cluster, "ann-phone", 1)
        assert client.im.position == ImPosition("e1", 1)


async def test_reconnecting_brings_what_was_missed_once(cluster: FakeCluster) -> None:
    async with phone(cluster) as (_, events):
        await cluster.say(CHAT, "bob", "m1", text="before")
        assert await texts(events, 1) == ["before"]
        await cluster.close_all(1012)
        await cluster.say(CHAT, "bob", "m2", text="meanwhile")
        await cluster.say(CHAT, "bob", "m3", text="and more")
        assert await texts(events, 2) == ["meanwhile", "and more"]
        await cluster.say(CHAT, "bob", "m4", text="after")
        assert await texts(events, 1) == ["after"]
        hellos = [each for each in cluster.requests if each["op"] == "hello"]
        assert hellos[-1]["im"] == {"device": "ann-phone", "epoch": "e1", "since": 1}


async def test_lost_messages_are_fetched_in_order(cluster: FakeCluster) -> None:
    async with phone(cluster) as (_, events):
        cluster.connections[0].lose = 2
        for number in range(4):
            await cluster.say(CHAT, "bob", f"m{number}", text=str(number))
        assert await texts(events, 4) == ["0", "1", "2", "3"]


async def test_a_long_absence_is_paged_before_what_is_new(cluster: FakeCluster) -> None:
    cluster.messages.threshold = 10
    for number in range(450):
        await cluster.say(CHAT, "bob", f"m{number}", text=str(number))
    async with phone(cluster, position=ImPosition("e1", 5)) as (_, events):
        await cluster.say(CHAT, "bob", "new", text="new")
        assert await texts(events, 446) == [*map(str, range(5, 450)), "new"]
        await acked(cluster, "ann-phone", 451)
    assert [each["since"] for each in cluster.requests if each["op"] == "sync"] == [5, 205, 405]


async def test_another_numbering_is_told_as_reset(cluster: FakeCluster) -> None:
    await cluster.say(CHAT, "bob", "m1", text="old")
    async with phone(cluster, position=ImPosition("e0", 7)) as (client, events):
        assert await until(events, MailboxReset) == MailboxReset(7, 1)
        await cluster.say(CHAT, "bob", "m2", text="new")
        assert await texts(events, 1) == ["new"]
        assert client.im.position == ImPosition("e1", 2)


async def test_messages_written_offline_go_out_in_order(cluster: FakeCluster) -> None:
    async with phone(cluster) as (client, events):
        cluster.retry_after_s = {"access-1": [1], "access-2": [1]}
        await cluster.close_all(1012)
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(send_one, client, str(number))
                await trio.lowlevel.checkpoint()
            await trio.testing.wait_all_tasks_blocked()
            assert [draft.mid for draft in client.im.outbox] == list("01234")
        assert await texts(events, 5) == list("01234")
        assert client.im.outbox == []


async def send_one(client: Client, text: str) -> None:
    await client.im.send(CHAT, text=text, mid=text)


async def test_a_message_without_an_answer_is_repeated_and_kept_once(
    cluster: FakeCluster,
) -> None:
    async with phone(cluster) as (client, events), trio.open_nursery() as nursery:
        cluster.swallow = lambda frame: frame["op"] == "send"
        nursery.start_soon(send_one, client, "once")
        assert await texts(events, 1) == ["once"]
        nursery.start_soon(send_one, client, "second")
        cluster.swallow = lambda _: False
        await cluster.close_all(1012)
        assert await texts(events, 1) == ["second"]
    assert cluster.messages.seqs[CHAT] == 2


async def test_a_refusal_lets_the_next_message_go(cluster: FakeCluster) -> None:
    cluster.refuse = lambda frame: (
        {"code": "muted", "message": "muted", "retry_after_ms": 9}
        if frame.get("text") == "loud"
        else None
    )
    async with phone(cluster) as (client, events):
        with pytest.raises(Refused) as caught:
            await client.im.send(CHAT, text="loud", mid="m1")
        assert (caught.value.code, caught.value.retry_after_ms) == ("muted", 9)
        assert (await until(events, NotSent)).draft == Draft(CHAT, "m1", {"text": "loud"})
        assert (await client.im.send(CHAT, text="soft")).seq == 1


async def test_an_unavailable_cluster_gets_the_message_again(cluster: FakeCluster) -> None:
    errors = [{"code": "unavailable", "message": "away", "retry_after_ms": 10}]
    cluster.refuse = lambda frame: errors.pop() if frame["op"] == "send" and errors else None
    async with phone(cluster) as (client, _):
        assert (await client.im.send(CHAT, text="at last", mid="m1")).seq == 1
    assert [each["mid"] for each in cluster.requests if each["op"] == "send"] == ["m1"] * 2


async def test_time_is_up_for_a_message(cluster: FakeCluster) -> None:
    cluster.swallow = lambda frame: frame["op"] == "send"
    async with phone(cluster) as (client, events):
        with pytest.raises(Unanswered):
            await client.im.send(CHAT, text="x", mid="m1", timeout_s=0.05)
        assert isinstance((await until(events, NotSent)).error, Unanswered)


async def test_drafts_of_an_earlier_client_are_sent_once(cluster: FakeCluster) -> None:
    drafts = [Draft(CHAT, f"m{number}", {"text": str(number)}) for number in range(3)]
    await cluster.say(CHAT, "ann", "m0", text="0")
    async with phone(cluster, position=ImPosition("e1", 0)) as (client, events):
        client.im.restore(drafts)
        assert client.im.outbox == drafts
        assert [(await until(events, Acknowledged)).sent.seq for _ in drafts] == [1, 2, 3]
    assert cluster.messages.seqs[CHAT] == 3


async def test_the_outbox_is_bounded(cluster: FakeCluster) -> None:
    cluster.swallow = lambda frame: frame["op"] == "send"
    async with phone(cluster) as (client, _):
        client.im.restore(Draft(CHAT, f"m{number}", {"text": "x"}) for number in range(1000))
        with pytest.raises(OutboxFull):
            await client.im.send(CHAT, text="one more")


async def test_only_the_application_acknowledges_where_it_wants_to(cluster: FakeCluster) -> None:
    async with phone(cluster, manual_ack=True, position=ImPosition("e1", 0)) as (client, events):
        for number in range(4):
            await cluster.say(CHAT, "bob", f"m{number}", text=str(number))
        messages = [await until(events, Message) for _ in range(4)]
        client.im.ack(messages[0])
        client.im.ack(messages[2])
        await acked(cluster, "ann-phone", 1)
        assert cluster.messages.acks[-1] == (
            {"op": "ack", "stream": "mailbox", "n": 1, "also": [[3, 3]]}
        )
        assert client.im.position == ImPosition("e1", 1)
        await cluster.close_all(1012)
        # What was not acknowledged comes again to the device, not to the application.
        await cluster.say(CHAT, "bob", "m4", text="4")
        assert await texts(events, 1) == ["4"]
        client.im.ack(messages[1])
        await acked(cluster, "ann-phone", 3)


async def test_a_reader_that_sleeps_is_not_acknowledged_for(cluster: FakeCluster) -> None:
    cluster.messages.threshold = 10
    for number in range(3000):
        await cluster.say(CHAT, "bob", f"m{number}", text=str(number))
    async with phone(cluster, position=ImPosition("e1", 0)) as (client, events):
        while len(events) <= 1000:
            await trio.sleep(0.01)
        await client.ping()
        assert len(events) < 2500
        assert await texts(events, 3000) == [*map(str, range(3000))]
        await acked(cluster, "ann-phone", 3000)


async def test_without_instant_messages_it_connects_anew(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.messages.away = {"code": "unavailable", "message": "away"}
    monkeypatch.setattr("relaymesh_client.im.core.AWAY_S", 0.05)
    async with phone(cluster) as (client, events):
        assert (await until(events, ImUnavailable)).error.code == "unavailable"
        every = client.events()
        cluster.messages.away = None
        await until(every, Connected)
        await cluster.say(CHAT, "bob", "m1", text="back")
        assert await texts(events, 1) == ["back"]


async def test_signals_are_told(cluster: FakeCluster) -> None:
    async with phone(cluster) as (client, events):
        assert await client.im.watch(["bob", "eve"]) == ["eve"]
        await client.im.typing(CHAT)
        devices = [{"device": "d", "online": True, "seen_ms": 5}]
        await cluster.connections[0].send(
            {"push": "typing", "conv": CHAT, "uid": "bob", "on": True},
            {"push": "receipt", "conv": CHAT, "uid": "bob", "seq": 3, "ts": 9},
            {"push": "presence", "uid": "bob", "state": "online", "devices": devices},
        )
        assert await until(events, Typing) == Typing(CHAT, "bob", True)
        assert await until(events, Receipt) == Receipt(CHAT, "bob", 3, 9)
        presence = await until(events, Presence)
        assert (presence.uid, presence.state) == ("bob", "online")
        assert [(d.device, d.online, d.seen_ms) for d in presence.devices] == [("d", True, 5)]
        await cluster.close_all(1012)
        while sum(each["op"] == "watch" for each in cluster.requests) < 2:
            await trio.sleep(0.01)


async def test_every_request_has_a_method_that_the_protocol_takes(cluster: FakeCluster) -> None:
    """Each is read by the cluster's own rules: no field is missing or unknown."""
    async with phone(cluster) as (client, _):
        im = client.im
        await im.send(CHAT, data={"k": 1}, mentions=["bob"], attachments=[{"url": "https://a/b"}])
        await im.recall(CHAT, 1)
        await im.read(CHAT, 1)
        await im.history(CHAT)
        await im.history(CHAT, after=3, limit=5)
        await im.sync("mailbox", 0)
        await im.sessions()
        await im.session_set(CHAT, muted=True, pinned=False)
        await im.device_set("fcm", "token")
        await im.device_remove()
        await im.device_remove("old")
        for ask in (im.friend_request, im.friend_accept, im.friend_decline, im.friend_remove):
            await ask("bob")
        await im.block("bob")
        await im.unblock("bob")
        await im.contacts()
        await im.group_create("club", ["bob"])
        await im.group_update("g:1", "club")
        await im.group_invite("g:1", ["bob"])
        await im.group_leave("g:1")
        await im.group_kick("g:1", ["bob"])
        await im.group_role("g:1", "bob", "admin")
        await im.group_mute("g:1", 60)
        await im.group_mute("g:1", 0, "bob")
        await im.group_transfer("g:1", "bob")
        await im.group_dissolve("g:1")
        await im.group_info("g:1")
        await im.group_members("g:1")
        await im.group_tag("g:1", hot=True)
        await im.typing(CHAT)
        await im.watch(["bob"])
    asked = {type(parse(json.dumps(each).encode())) for each in cluster.requests}
    assert asked >= {*IM_REQUESTS, Watch, Hello}
