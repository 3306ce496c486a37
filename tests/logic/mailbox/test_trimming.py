import trio

from backends.database.schema import mailboxes
from proto.conversations import direct
from tests.logic.mailbox.conftest import World, said

CHAT = direct("ann", "bob")


async def test_a_mailbox_keeps_its_newest_messages(
    world: World, nursery: trio.Nursery, autojump_clock: object
) -> None:
    boxes = world.mailboxes(keep=100)
    nursery.start_soon(boxes.run)
    await world.quiet()
    await world.say(*(said(CHAT, "ann", f"{n}") for n in range(110)))
    await trio.sleep(1)
    assert len(await world.mailbox("bob")) == 110, "a tenth more is let pass"
    await world.say(said(CHAT, "ann", "more"))
    await trio.sleep(1)
    assert [n for n, _, _ in await world.mailbox("bob")] == list(range(12, 112))
    (row,) = await world.rows(mailboxes, uid="bob")
    assert (row.head, row.oldest) == (111, 12)
    assert boxes.counters.trimmed == 22


async def test_it_is_done_in_small_steps(
    world: World, nursery: trio.Nursery, autojump_clock: object
) -> None:
    boxes = world.mailboxes(keep=100)
    nursery.start_soon(boxes.consumer.run)
    await world.quiet()
    await world.say(*(said(CHAT, "ann", f"{n}") for n in range(700)))
    writes = world.database.writes
    async with trio.open_nursery() as trimming:
        trimming.start_soon(boxes._trimming.run)
        await trio.sleep(1)
        trimming.cancel_scope.cancel()
    assert len(await world.mailbox("ann")) == len(await world.mailbox("bob")) == 100
    assert world.database.writes - writes == 4
