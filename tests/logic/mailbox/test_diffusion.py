from typing import Any

import msgspec

from backends.database.schema import diffusions, mailboxes, sessions
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct, system
from tests.logic.mailbox.conftest import World, said

CHAT = direct("ann", "bob")


async def test_a_chat_message_comes_to_both_mailboxes(world: World, running: Mailboxes) -> None:
    await world.say(said(CHAT, "ann", "hello"), said(CHAT, "bob", "hi"))

    assert await world.mailbox("ann") == [(1, CHAT, 1), (2, CHAT, 2)]
    assert await world.mailbox("bob") == [(1, CHAT, 1), (2, CHAT, 2)]
    assert await world.outbox() == []
    assert await world.cursor(CHAT) == 2
    (session,) = await world.rows(sessions, uid="bob")
    assert (session.conv, session.last_seq, session.last_count) == (CHAT, 2, 2)


async def test_the_access_nodes_are_told_with_the_numbers(world: World, running: Mailboxes) -> None:
    await world.say(said(direct("bob", "cid"), "bob", "first"))
    await world.say(said(CHAT, "ann", "hello"))

    record = world.sent()[-1]
    header = record.header
    assert (header.kind, header.priority) == ("users", "normal")
    assert dict(zip(header.uids, header.seqs, strict=True)) == {"ann": 1, "bob": 2}
    frame = msgspec.json.decode(record.body)
    expected = {"push": "message", "conv": CHAT, "seq": 1, "kind": "message", "uid": "ann"}
    assert frame.items() >= (expected | {"mid": "ann-hello", "body": {"text": "hello"}}).items()
    assert header.trace == "t1"


async def test_a_group_message_comes_to_every_member(world: World, running: Mailboxes) -> None:
    await world.group("g:one", ["ann", "bob", "cid"])
    await world.say(said("g:one", "ann", "hello"))

    for uid in ("ann", "bob", "cid"):
        assert await world.mailbox(uid) == [(1, "g:one", 1)]
    (record,) = world.sent()
    assert sorted(record.header.uids) == ["ann", "bob", "cid"]


async def test_what_the_cluster_tells_a_user_makes_no_session(
    world: World, running: Mailboxes
) -> None:
    await world.say(said(system("ann"), "", "you joined", kind="group_joined"))
    assert await world.mailbox("ann") == [(1, system("ann"), 1)]
    assert await world.rows(sessions) == []


async def test_numbers_have_no_gaps_over_many_conversations(
    world: World, running: Mailboxes
) -> None:
    await world.group("g:one", ["ann", "bob", "cid"])
    new = [said(CHAT, "ann", f"{n}") for n in range(150)]
    new += [said("g:one", "bob", f"{n}") for n in range(150)]
    await world.say(*new)

    await world.check()
    heads = {row.uid: row.head for row in await world.rows(mailboxes)}
    assert heads == {"ann": 300, "bob": 300, "cid": 150}
    assert await world.outbox() == []


async def test_an_event_twice_late_or_of_nothing_changes_nothing(
    world: World, running: Mailboxes
) -> None:
    first = await world.say(said(CHAT, "ann", "one"))
    second = await world.append(said(CHAT, "ann", "two"))
    third = await world.append(said(CHAT, "ann", "three"))
    await world.publish([*third, *second, *third, *first])
    await world.quiet()
    await world.publish([*first, third[0].__class__("d:x|y", 7, 1, 1, False)])
    await world.quiet()

    assert await world.mailbox("bob") == [(1, CHAT, 1), (2, CHAT, 2), (3, CHAT, 3)]
    assert len(world.sent()) == 3
    assert running.consumer.waiting == 0
    assert [row.conv for row in await world.rows(diffusions)] == [CHAT]


async def test_members_get_what_was_said_while_they_were_there(
    world: World, running: Mailboxes
) -> None:
    from sqlalchemy import insert, update

    from backends.database.schema import members

    await world.group("g:one", ["ann", "bob"])

    def come_and_go(connection: Any) -> None:
        row = {"conv": "g:one", "uid": "cid", "role": "member", "joined_seq": 2}
        connection.execute(insert(members).values(**row))
        connection.execute(update(members).where(members.c.uid == "bob").values(left_seq=2))

    await world.append(*(said("g:one", "ann", f"{n}") for n in range(2)))
    await world.run(come_and_go)
    await world.say(said("g:one", "ann", "last"))

    assert [seq for _, _, seq in await world.mailbox("ann")] == [1, 2, 3]
    assert [seq for _, _, seq in await world.mailbox("bob")] == [1, 2]
    assert [seq for _, _, seq in await world.mailbox("cid")] == [2, 3]
    assert [row.uid for row in await world.rows(members)] == ["ann", "cid"]
    (left,) = await world.rows(sessions, uid="bob")
    assert left.last_seq == 2
