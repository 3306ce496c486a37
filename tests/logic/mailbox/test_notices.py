from typing import Any

import msgspec
from sqlalchemy import insert, update

from backends.database.schema import devices, messages, notifications
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct, system
from tests.logic.mailbox.conftest import World, fence, now_ms, said

CHAT = direct("ann", "bob")
G = "g:one"


async def with_token(world: World, *uids: str) -> None:
    rows = [{"uid": uid, "device": "d", "provider": "fcm", "token": f"t-{uid}"} for uid in uids]
    await world.run(lambda c: c.execute(insert(devices), rows))


async def waiting(world: World) -> list[Any]:
    rows = await world.rows(notifications)
    return [(row.uid, row.conv, row.seq, row.n, row.mentioned) for row in rows]


async def test_recipients_with_a_token_are_notified_after_a_while(
    world: World, running: Mailboxes
) -> None:
    await with_token(world, "ann", "bob")
    await world.say(said(CHAT, "ann", "hello"))
    (row,) = await world.rows(notifications)
    assert (row.uid, row.conv, row.seq, row.n, row.attempts) == ("bob", CHAT, 1, 1, 0)
    assert 0 < row.due - now_ms() <= 3000
    await world.say(said(direct("ann", "cid"), "ann", "hello"))
    assert len(await world.rows(notifications)) == 1


async def test_the_newest_message_of_a_conversation_keeps_the_time_of_the_first(
    world: World, running: Mailboxes
) -> None:
    await with_token(world, "bob")
    await world.say(said(CHAT, "ann", "hello"))
    await world.run(lambda c: c.execute(update(notifications).values(due=7, attempts=2)))
    await world.say(said(CHAT, "ann", "again"))
    (row,) = await world.rows(notifications)
    assert (row.seq, row.n, row.due, row.attempts) == (2, 2, 7, 2)


async def test_only_what_people_say_and_ask_is_worth_it(world: World, running: Mailboxes) -> None:
    await with_token(world, "ann", "bob")
    await world.group(G, ["ann", "bob"])
    await world.say(
        said(G, "ann", "x", kind="group_updated"), said(CHAT, "ann", "y", kind="recall")
    )
    gone = await world.append(said(CHAT, "ann", "gone"))
    await world.run(lambda c: c.execute(update(messages).values(recalled=True)))
    await world.publish(gone)
    await world.quiet()
    assert await waiting(world) == []
    await world.say(said(system("bob"), "", "z", kind="friend_request"))
    assert await waiting(world) == [("bob", system("bob"), 1, 4, False)]


async def test_a_mention_stays_until_it_is_told(world: World, running: Mailboxes) -> None:
    await with_token(world, "bob", "cid")
    await world.group(G, ["ann", "bob", "cid"])
    await world.say(said(G, "ann", "you", mentions=["bob"]), said(G, "ann", "and more"))
    assert await waiting(world) == [("bob", G, 2, 2, True), ("cid", G, 2, 2, False)]
    await world.say(said(G, "ann", "all", mention_all=True))
    assert [row[4] for row in await waiting(world)] == [True, True]


async def test_a_body_without_a_bottom_mentions_nobody_and_is_notified(
    world: World, running: Mailboxes
) -> None:
    await with_token(world, "bob")
    nested = msgspec.Raw(b"[" * 5000 + b"]" * 5000)
    await world.say(said(CHAT, "ann", "hello", data=nested, mentions=["bob"]))
    assert await waiting(world) == [("bob", CHAT, 1, 1, False)]


async def test_in_a_hot_group_only_members_who_are_named(world: World, running: Mailboxes) -> None:
    await with_token(world, "bob", "cid", "eve")
    await world.group(G, ["ann", "bob", "cid"])
    await world.say(fence(G, "hot", 1), said(G, "ann", "hi", mentions=["bob", "eve", "ann"]))
    await world.say(said(G, "ann", "all of you", mention_all=True))
    assert await waiting(world) == [("bob", G, 2, 0, True)]
