import msgspec
import pytest
import trio
from sqlalchemy import update

from backends.database.schema import conversations, groups, hot_spans, mailboxes, sessions
from logic.mailbox.hot_groups import HotGroups
from logic.mailbox.settings import HotSettings
from logic.mailbox.wiring import Mailboxes
from proto.im_services import TailsBody, decode_tails_answer
from proto.services import encode
from tests.logic.mailbox.conftest import EPOCH, World, fence, now_ms, said

G = "g:one"
UIDS = ["ann", "bob", "cid"]


def streamed(world: World) -> list[tuple[str, str, int]]:
    headers = [record.header for record in world.sent()]
    return [(h.room, h.epoch, h.seq) for h in headers if h.kind == "room"]


async def test_between_hot_and_cool_messages_go_on_the_hot_stream(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, UIDS)
    await world.say(
        said(G, "ann", "before"),
        fence(G, "hot", 1),
        said(G, "ann", "within"),
        said(G, "bob", "within too"),
    )
    (hot_session,) = await world.rows(sessions, uid="bob")
    await world.say(fence(G, "cool", 2), said(G, "bob", "after"))

    assert [seq for _, _, seq in await world.mailbox("cid")] == [1, 2, 6]
    stream = f"hot:{G}"
    assert streamed(world) == [(stream, EPOCH, 3), (stream, EPOCH, 4), (stream, EPOCH, 5)]
    assert hot_session.hot
    assert hot_session.last_seq == 2
    (session,) = await world.rows(sessions, uid="bob")
    assert not session.hot
    assert session.last_seq == 6
    assert [(row.first, row.last) for row in await world.rows(hot_spans)] == [(3, 5)]
    await world.check()


async def test_a_session_that_is_cool_again_shows_the_last_message_of_the_stream(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, UIDS)
    await world.say(fence(G, "hot", 1), said(G, "ann", "within"), fence(G, "cool", 2))
    (session,) = await world.rows(sessions, uid="bob")
    assert (session.hot, session.last_seq, session.last_count) == (False, 3, 1)


async def test_many_members_make_a_group_hot_by_a_message_of_it(
    world: World, nursery: trio.Nursery, autojump_clock: object
) -> None:
    few = HotSettings(members=3, cool_members=2)
    nursery.start_soon(world.mailboxes(hot=few).run)
    await world.quiet()
    await world.group(G, UIDS)
    await world.say(said(G, "ann", "hello"))
    await trio.sleep(1)

    (appended,) = world.committed
    assert (appended.conv, appended.seq) == (G, 2)
    (conversation,) = await world.rows(conversations)
    assert conversation.hot
    await world.publish(world.committed)
    await world.say(said(G, "bob", "hi"))
    assert [seq for _, _, seq in await world.mailbox("ann")] == [1, 2]
    assert streamed(world) == [(f"hot:{G}", EPOCH, 3)]


async def test_many_messages_make_it_hot_and_silence_cools_it(
    world: World, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(world.mailboxes().run)
    await world.quiet()
    await world.group(G, UIDS)
    await world.say(*(said(G, "ann", f"{n}") for n in range(201)))
    await trio.sleep(1)
    await world.publish(world.committed)
    assert [each.seq for each in world.committed] == [202]
    await trio.sleep(50)
    assert len(world.committed) == 1
    await trio.sleep(25)
    assert [each.seq for each in world.committed] == [202, 203]
    (conversation,) = await world.rows(conversations)
    assert not conversation.hot


async def test_a_tagged_group_stays_hot(
    world: World, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(world.mailboxes().run)
    await world.quiet()
    await world.group(G, UIDS)
    await world.run(lambda c: c.execute(update(groups).values(tagged_hot=True)))
    await world.say(said(G, "ann", "hello"))
    await trio.sleep(1)
    assert [each.seq for each in world.committed] == [2]
    await world.publish(world.committed)
    await trio.sleep(600)
    assert [each.seq for each in world.committed] == [2]


async def test_two_instances_switch_a_group_once(world: World) -> None:
    await world.group(G, UIDS)
    await world.append(said(G, "ann", "hello"))
    few = HotSettings(members=3, cool_members=2)
    told: list[int] = []
    both = [
        HotGroups(world.database, few, lambda new, _: told.extend(a.seq for a in new), now_ms)
        for _ in range(2)
    ]
    async with trio.open_nursery() as nursery:
        for each in both:
            nursery.start_soon(each.look, [G])
    assert told == [2]


async def test_tails_tell_the_end_of_the_stream_and_where_it_ceased(
    world: World, running: Mailboxes
) -> None:
    await world.group(G, UIDS)
    await world.group("g:two", UIDS)
    await world.say(fence(G, "hot", 1), said(G, "ann", "a"), fence(G, "cool", 2))
    await world.say(said(G, "ann", "b"), said("g:two", "ann", "c"))
    await world.say(fence("g:two", "hot", 1), said("g:two", "ann", "d"))

    tails = running.methods()["tails"]  # type: ignore[index]
    body = encode(TailsBody(["ann", "nobody"], [G, "g:two", "g:none"]))
    answer = decode_tails_answer(await tails(None, body))  # type: ignore[arg-type]
    (head,) = (row.head for row in await world.rows(mailboxes, uid="ann"))
    assert answer.mailboxes == [head, 0]
    assert answer.hot == [3, 3, 0]


@pytest.mark.parametrize("text", ["x", "é" * 100])
async def test_the_stream_carries_the_frame_that_mailboxes_would(
    world: World, running: Mailboxes, text: str
) -> None:
    await world.group(G, UIDS)
    await world.say(fence(G, "hot", 1), said(G, "ann", text))
    record = world.sent()[-1]
    assert msgspec.json.decode(record.body)["body"] == {"text": text}
    assert record.header.priority == "normal"
