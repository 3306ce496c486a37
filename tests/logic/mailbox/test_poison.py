import trio
from sqlalchemy import update

from backends.database.schema import diffusions, messages
from logic.mailbox.wiring import Mailboxes
from proto.conversations import direct
from proto.records import Record, RecordHeader
from proto.topics import Topic
from tests.logic.mailbox.conftest import World, said

CHAT = direct("ann", "bob")
OTHER = direct("cid", "dan")
TOO_LONG = b'{"text":"' + b"x" * 70_000 + b'"}'


async def poison(world: World, seq: int) -> None:
    where = (messages.c.conv == CHAT) & (messages.c.seq == seq)
    await world.run(lambda c: c.execute(update(messages).where(where).values(body=TOO_LONG)))


async def test_a_message_that_breaks_is_passed_over_and_the_rest_goes_on(
    world: World, running: Mailboxes, autojump_clock: object
) -> None:
    new = await world.append(*(said(CHAT, "ann", f"{n}") for n in range(4)))
    await poison(world, 3)
    others = await world.append(said(OTHER, "cid", "hello"))
    await world.publish([*new, *others])
    await world.quiet()
    assert await world.mailbox("dan") == [(1, OTHER, 1)]
    assert [seq for _, _, seq in await world.mailbox("bob")] == [1, 2]

    await trio.sleep(10)
    assert await world.mailbox("bob") == [(1, CHAT, 1), (2, CHAT, 2), (3, CHAT, 4)]
    assert await world.dead() == [(CHAT, 3)]
    assert await world.outbox() == []
    assert running.counters.passed_over == 1
    assert running.consumer.waiting == 0
    (row,) = await world.rows(diffusions, conv=CHAT)
    assert row.failures == 0


async def test_what_is_mended_in_time_is_not_passed_over(
    world: World, running: Mailboxes, autojump_clock: object
) -> None:
    new = await world.append(said(CHAT, "ann", "one"))
    await poison(world, 1)
    await world.publish(new)
    await trio.sleep(1.2)
    (row,) = await world.rows(diffusions, conv=CHAT)
    assert row.failures == 3
    await world.run(lambda c: c.execute(update(messages).values(body=b'{"text":"mended"}')))
    await trio.sleep(10)
    assert await world.mailbox("bob") == [(1, CHAT, 1)]
    assert await world.dead() == []


async def test_a_record_that_is_no_event_is_buried(world: World, running: Mailboxes) -> None:
    header = RecordHeader(id="x", kind="conversation", ts_ms=1, room="d:bob|ann", seq=1)
    await world.bus.publish(Topic.CONVERSATIONS, [Record(header, b"")])
    await world.quiet()
    assert running.counters.buried == 1
    assert len(world.broker.topic(f"relaymesh-{Topic.CONVERSATIONS}").dead_letters) == 1
    await world.say(said(CHAT, "ann", "hello"))
    assert await world.mailbox("bob") == [(1, CHAT, 1)]
