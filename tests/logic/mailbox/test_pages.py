from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, update

from backends.database.schema import members, messages
from logic.im.service import Asker
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.im_services import SyncAnswer, SyncBody, decode_sync_answer
from proto.requests.messages import Sync
from proto.services import Method, encode
from tests.logic.mailbox.conftest import EPOCH, World, fence, said

CHAT = direct("ann", "bob")
G = "g:one"
HOT = f"hot:{G}"


async def page(boxes: Mailboxes, uid: str, stream: str, since: int, limit: int = 100) -> SyncAnswer:
    header = RequestHeader(1, "access-1", "i1", Method.SYNC, 2000, uid=uid)
    body = encode(SyncBody(stream, since, limit))
    return decode_sync_answer(await boxes.methods()[Method.SYNC](header, body))


def texts(answer: SyncAnswer) -> list[tuple[int, Any]]:
    return [(n, msgspec.json.decode(frame)["body"].get("text")) for n, frame in answer.frames]


async def test_a_page_has_what_comes_after(world: World, running: Mailboxes) -> None:
    await world.say(*(said(CHAT, "ann", f"{n}") for n in range(5)))
    answer = await page(running, "bob", "mailbox", 1, 2)
    assert (answer.epoch, answer.head, answer.oldest) == (EPOCH, 5, 1)
    assert texts(answer) == [(2, "1"), (3, "2")]
    assert (await page(running, "bob", "mailbox", 5)).frames == []
    assert (await page(running, "nobody", "mailbox", 0)).head == 0


async def test_frames_are_those_that_were_pushed(world: World, running: Mailboxes) -> None:
    await world.say(said(CHAT, "ann", "hello"))
    ((_, frame),) = (await page(running, "bob", "mailbox", 0)).frames
    assert frame == world.sent()[-1].body


async def test_a_recalled_message_has_no_body(world: World, running: Mailboxes) -> None:
    await world.say(said(CHAT, "ann", "oops"))
    await world.run(lambda c: c.execute(update(messages).values(recalled=True)))
    ((_, frame),) = (await page(running, "bob", "mailbox", 0)).frames
    decoded = msgspec.json.decode(frame)
    assert (decoded["recalled"], decoded["body"]) == (True, {})


@pytest.mark.parametrize("stream", ["mailbox", HOT])
async def test_a_number_from_the_future_is_refused(
    world: World, running: Mailboxes, stream: str
) -> None:
    await world.group(G, ["bob"])
    await world.say(fence(G, "hot", 1), said(G, "bob", "a"))
    with pytest.raises(RequestError) as refused:
        await page(running, "bob", stream, 99)
    assert refused.value.body.code is ErrorCode.BAD_CURSOR


async def test_the_hot_stream_has_gaps_where_the_group_was_not_hot(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann", "bob"])
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"), fence(G, "cool", 2))
    await world.say(said(G, "ann", "by mailbox"), fence(G, "hot", 3), said(G, "ann", "b"))
    answer = await page(running, "bob", HOT, 0)
    assert texts(answer) == [(2, "a"), (3, None), (6, "b")]
    assert answer.head == 6
    assert [n for n, _ in (await page(running, "bob", HOT, 2, 1)).frames] == [3]


async def test_the_hot_stream_is_for_members_and_from_when_they_came(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["ann"])
    await world.say(fence(G, "hot", 1), *(said(G, "ann", f"{n}") for n in range(3)))
    row = {"conv": G, "uid": "bob", "role": "member", "joined_seq": 3}
    await world.run(lambda c: c.execute(insert(members).values(**row)))
    answer = await page(running, "bob", HOT, 0)
    assert (answer.oldest, texts(answer)) == (3, [(3, "1"), (4, "2")])
    with pytest.raises(RequestError) as refused:
        await page(running, "eve", HOT, 0)
    assert refused.value.body.code is ErrorCode.NOT_MEMBER


async def test_who_came_in_begins_there_also_before_the_group_is_diffused(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, ["bob"], joined_seq=3)
    await world.append(fence(G, "hot", 1), said(G, "ann", "a"), said(G, "ann", "b"))
    answer = await page(running, "bob", HOT, 2)
    assert (answer.head, answer.frames) == (2, [])
    with pytest.raises(RequestError) as refused:
        await page(running, "bob", HOT, 3)
    assert refused.value.body.code is ErrorCode.BAD_CURSOR


async def test_who_left_has_the_stream_up_to_there(world: World, running: Mailboxes) -> None:
    await world.group(G, ["ann", "bob"])
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"))
    await world.run(
        lambda c: c.execute(update(members).where(members.c.uid == "bob").values(left_seq=3))
    )
    await world.append(said(G, "ann", "b"), said(G, "ann", "c"))
    assert (await page(running, "bob", HOT, 0)).head == 2


async def test_a_page_is_cut_where_it_grows_too_long(world: World, running: Mailboxes) -> None:
    await world.say(*(said(CHAT, "ann", f"{n}" + "x" * 30_000) for n in range(40)))
    answer = await page(running, "bob", "mailbox", 0)
    assert len(encode(answer)) < 600_000
    assert answer.head == answer.frames[-1][0] < 40
    rest = await page(running, "bob", "mailbox", answer.head)
    assert rest.frames[0][0] == answer.head + 1


async def test_the_client_gets_the_frames_as_pushes_of_the_stream(
    world: World, running: Mailboxes
) -> None:
    await world.say(said(CHAT, "ann", "hello"))
    request = Sync(id=1, stream="mailbox", since=0)
    asker = Asker("bob", "Bob", "viewer", "phone", "t")
    answer = msgspec.json.decode(await running.handlers()[Sync](asker, request))
    (frame,) = answer.pop("frames")
    assert answer == {"stream": "mailbox", "epoch": EPOCH, "head": 1, "oldest": 1}
    assert (frame["stream"], frame["n"], frame["push"]) == ("mailbox", 1, "message")
