from typing import Any

import pytest
import trio
from sqlalchemy import Connection, insert, update

from backends.database.appending import Appended, append
from backends.database.members import remove_members
from backends.database.schema import (
    conversations,
    devices,
    groups,
    hot_cursors,
    mailboxes,
    members,
    sessions,
)
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct, system
from proto.headers import RequestHeader
from proto.im_services import (
    Cursor,
    CursorsBody,
    HotStart,
    OpenAnswer,
    OpenBody,
    SyncBody,
    decode_open_answer,
    decode_sync_answer,
)
from proto.services import Method, encode
from tests.logic.mailbox.conftest import EPOCH, START_MS, World, fence, said

CHAT = direct("ann", "bob")
G = "g:one"


def header(uid: str, method: Method) -> RequestHeader:
    return RequestHeader(1, "access-1", "i1", method, 2000, uid=uid)


async def open_(
    boxes: Mailboxes, uid: str, device: str = "phone", since: int = -1, **rest: Any
) -> OpenAnswer:
    body = OpenBody(device, rest.get("epoch", EPOCH), since, rest.get("hot", {}))
    answer = await boxes.methods()[Method.OPEN](header(uid, Method.OPEN), encode(body))
    return decode_open_answer(answer)


async def report(boxes: Mailboxes, *cursors: Cursor) -> None:
    body = encode(CursorsBody(list(cursors)))
    await boxes.methods()[Method.CURSORS](header("", Method.CURSORS), body)


async def chat(world: World, count: int) -> None:
    await world.say(*(said(CHAT, "ann", f"{n}") for n in range(count)))


async def test_a_new_device_begins_at_the_head(world: World, running: Mailboxes) -> None:
    await chat(world, 3)
    assert await open_(running, "bob") == OpenAnswer(EPOCH, 3, 3, "level", [])
    assert await open_(running, "nobody") == OpenAnswer(EPOCH, 0, 0, "level", [])


async def test_it_goes_on_from_its_own_place_or_from_the_clusters_cursor(
    world: World, running: Mailboxes
) -> None:
    await chat(world, 3)
    await open_(running, "bob")
    await world.say(said(CHAT, "ann", "more"), said(CHAT, "ann", "and more"))
    assert (await open_(running, "bob")).start == 3
    assert (await open_(running, "bob", since=1)).start == 1
    await report(running, Cursor("bob", "phone", "mailbox", 4))
    answer = await open_(running, "bob")
    assert (answer.start, answer.head, answer.standing) == (4, 5, "level")


@pytest.mark.parametrize(("since", "epoch"), [(2, "other"), (2, ""), (4, EPOCH), (2**53, EPOCH)])
async def test_a_place_that_was_never_given_is_reset(
    world: World, running: Mailboxes, since: int, epoch: str
) -> None:
    await chat(world, 3)
    answer = await open_(running, "bob", since=since, epoch=epoch)
    assert (answer.start, answer.standing) == (3, "reset")


async def test_who_was_away_for_long_pages(world: World, running: Mailboxes) -> None:
    await chat(world, 501)
    assert (await open_(running, "bob", since=1)).standing == "level"
    answer = await open_(running, "bob", since=0)
    assert (answer.start, answer.standing) == (501, "behind")


async def test_what_was_trimmed_is_behind(world: World, running: Mailboxes) -> None:
    await chat(world, 10)
    await world.run(lambda c: c.execute(update(mailboxes).values(oldest=6)))
    assert (await open_(running, "bob", since=5)).standing == "level"
    assert (await open_(running, "bob", since=4)).standing == "behind"


async def test_ten_thousand_devices_of_a_user_grow_nothing(
    world: World, running: Mailboxes
) -> None:
    token = {"uid": "bob", "device": "old", "seen": 1, "provider": "fcm", "token": "t"}
    await world.run(lambda c: c.execute(insert(devices).values(**token)))
    for number in range(50):
        await open_(running, "bob", f"device-{number}")
        await world.quiet()
    rows = await world.rows(devices, uid="bob")
    assert len(rows) == 20
    assert {"old", "device-49"} <= {row.device for row in rows}
    assert await world.rows(devices, uid="ann") == []


async def test_cursors_only_go_forward_and_never_beyond_the_end(
    world: World, running: Mailboxes
) -> None:
    await chat(world, 5)
    await open_(running, "bob", since=0)
    for n in (3, 2, 99):
        await report(running, Cursor("bob", "phone", "mailbox", n), Cursor("bob", "unknown"))
        (row,) = await world.rows(devices, uid="bob")
        assert row.cursor == {3: 3, 2: 3, 99: 5}[n]


async def test_a_report_says_that_a_device_lives(
    world: World, running: Mailboxes, autojump_clock: object
) -> None:
    await open_(running, "bob")
    (before,) = await world.rows(devices)
    await trio.sleep(20)
    await report(running, Cursor("bob", "phone", gone=True))
    (after,) = await world.rows(devices)
    assert after.seen == before.seen + 20_000
    assert after.cursor == before.cursor


async def test_hot_groups_are_told_with_where_the_device_goes_on(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"])
    await open_(running, "bob")
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"), said(G, "ann", "b"))

    # It was away when the group became hot, and lacks all that came on the stream.
    assert (await open_(running, "bob")).hot == [HotStart(G, 3, 1)]
    assert (await open_(running, "bob", hot={G: 2})).hot == [HotStart(G, 3, 2)]
    assert (await open_(running, "bob", hot={G: 9})).hot == [HotStart(G, 3, 3)]
    assert (await open_(running, "bob", "new")).hot == [HotStart(G, 3, 3)]
    await report(running, Cursor("bob", "phone", f"hot:{G}", 99))
    assert (await open_(running, "bob")).hot == [HotStart(G, 3, 3)]
    assert (await open_(running, "eve")).hot == []


async def test_a_stream_that_ceased_is_told_until_the_device_has_it(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"])
    await open_(running, "bob")
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"), fence(G, "cool", 2))
    await world.say(said(G, "ann", "b"))

    assert (await open_(running, "bob")).hot == [HotStart(G, 3, 1)]
    await report(running, Cursor("bob", "phone", f"hot:{G}", 3))
    assert (await open_(running, "bob")).hot == []


async def test_who_was_sent_out_of_a_hot_group_while_away_gets_what_was_said_before(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"])
    await open_(running, "bob")
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"), said(G, "ann", "b"))
    gone = said(G, "ann", "out", kind="group_left", uids=["bob"])

    def leave(connection: Connection) -> list[Appended]:
        (told,) = append(connection, [gone], START_MS)
        remove_members(connection, told, ["bob"])
        return [told]

    await world.publish(await world.run(leave))
    await world.say(said(G, "ann", "without bob"))
    assert await world.rows(members, uid="bob") == []
    assert (await open_(running, "bob")).hot == [HotStart(G, 4, 1, left=True)]
    assert (await open_(running, "bob", hot={G: 4})).hot == []
    page = SyncBody(f"hot:{G}", 1, 100)
    answer = await running.methods()[Method.SYNC](header("bob", Method.SYNC), encode(page))
    assert [n for n, _ in decode_sync_answer(answer).frames] == [2, 3, 4]


async def test_who_joins_a_hot_group_while_away_begins_where_it_came_in(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann"])
    await open_(running, "bob")
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"))
    row = {"conv": G, "uid": "bob", "role": "member", "joined_seq": 3}
    await world.run(lambda c: c.execute(insert(members).values(**row)))
    told = said(system("bob"), "", "j", kind="group_joined", conv=G, joined=3, hot=True)
    await world.say(said(G, "ann", "b"), said(G, "ann", "c"), told)

    assert (await open_(running, "bob")).hot == [HotStart(G, 4, 2)]
    assert [row.seq for row in await world.rows(hot_cursors, uid="bob")] == [2]


async def test_who_joins_a_hot_group_that_is_not_diffused_yet_begins_there_too(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["bob"], joined_seq=3)
    await world.run(lambda c: c.execute(update(sessions).values(hot=True)))
    behind = await world.append(fence(G, "hot", 1), said(G, "ann", "a"), said(G, "ann", "b"))
    await world.say(said(system("bob"), "", "j", kind="group_joined", conv=G, joined=3, hot=True))

    assert (await open_(running, "bob")).hot == [HotStart(G, 2, 2)]
    assert (await open_(running, "bob", hot={G: 2})).hot == [HotStart(G, 2, 2)]
    await world.publish(behind)
    await world.quiet()
    assert (await open_(running, "bob", hot={G: 2})).hot == [HotStart(G, 3, 2)]


async def test_who_comes_back_to_a_hot_group_begins_where_it_came_in_again(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"], joined_seq=1)
    await open_(running, "bob")
    await world.say(fence(G, "hot", 1), *(said(G, "ann", text) for text in "abc"))
    await world.run(
        lambda c: c.execute(update(members).where(members.c.uid == "bob").values(joined_seq=4))
    )
    for hot in ({}, {G: 1}, {G: 3}):
        assert (await open_(running, "bob", hot=hot)).hot == [HotStart(G, 4, 3)]
    assert (await open_(running, "bob", hot={G: 4})).hot == [HotStart(G, 4, 4)]


async def test_a_stream_of_which_too_much_is_missing_is_not_pushed(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"])
    await open_(running, "bob")
    await world.append(fence(G, "hot", 1))
    # So that nobody switches it, however long this takes.
    await world.run(lambda c: c.execute(update(conversations).values(hot=True)))
    await world.run(lambda c: c.execute(update(groups).values(tagged_hot=True)))
    await world.say(*(said(G, "ann", f"{n}") for n in range(501)))
    assert (await open_(running, "bob")).hot == [HotStart(G, 502, 502)]
