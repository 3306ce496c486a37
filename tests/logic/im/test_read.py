import msgspec
import pytest
import trio
from sqlalchemy import insert

from backends.database.schema import sessions
from proto.conversations import direct
from proto.topics import Topic

CHAT = direct("ann", "bob")


@pytest.fixture
async def chat(people, ask_im, database):
    """Ann has said three things to Bob, and both have a session, as the diffusion makes it."""
    await people.befriend("ann", "bob")
    for n in range(3):
        await ask_im("ann", "send", conv=CHAT, mid=f"m{n}", text="hi")


@pytest.fixture
def position(rows):
    async def position(uid, conv=CHAT):
        (row,) = await rows(sessions, sessions.c.uid == uid, sessions.c.conv == conv)
        return row["read_seq"], row["read_count"]

    return position


@pytest.fixture
def receipts(world):
    """Return the receipts on the bus: who is told, and the push."""

    async def receipts():
        await trio.sleep(0.1)
        pushes = [(r.header, msgspec.json.decode(r.body)) for r in world.records(Topic.NORMAL)]
        return [(sorted(h.uids), push) for h, push in pushes if push["push"] == "receipt"]

    return receipts


async def test_reading_moves_the_position_and_tells_both(
    autojump_clock, im, chat, ask_im, position, receipts, rows, world
):
    assert await ask_im("bob", "read", conv=CHAT, seq=2) == {"conv": CHAT, "seq": 2}
    assert await position("bob") == (2, 2)
    (ann,) = await rows(sessions, sessions.c.uid == "ann")
    assert ann["peer_read_seq"] == 2
    ((uids, push),) = await receipts()
    assert uids == ["ann", "bob"]
    assert push.pop("ts") <= world.parts.now_ms()
    assert push == {"push": "receipt", "conv": CHAT, "uid": "bob", "seq": 2}


async def test_a_position_never_goes_back_and_what_is_known_is_told_once(
    autojump_clock, im, chat, ask_im, position, receipts
):
    for seq, stands in ((3, 3), (1, 3), (3, 3), (0, 3)):
        assert (await ask_im("bob", "read", conv=CHAT, seq=seq))["seq"] == stands
    assert await position("bob") == (3, 3)
    assert len(await receipts()) == 1


async def test_reads_that_come_together_move_to_the_furthest(
    autojump_clock, im, chat, ask_im, position, receipts
):
    async with trio.open_nursery() as nursery:
        for seq in (2, 3, 1):
            nursery.start_soon(lambda seq=seq: ask_im("bob", "read", conv=CHAT, seq=seq))
    assert await position("bob") == (3, 3)
    assert (await receipts())[-1][1]["seq"] == 3


async def test_what_does_not_make_unread_does_not_count(autojump_clock, im, chat, ask_im, position):
    await ask_im("ann", "recall", conv=CHAT, seq=3)
    await ask_im("bob", "read", conv=CHAT, seq=4)
    assert await position("bob") == (4, 3)


async def test_what_can_not_be_read(autojump_clock, im, chat, refused, people, rows):
    await trio.sleep(1)
    before = await rows(sessions)
    assert (await refused("bob", "read", conv=CHAT, seq=4))[0] == "bad_cursor"
    assert (await refused("eve", "read", conv=CHAT, seq=1))[0] == "not_member"
    assert (await refused("eve", "read", conv="g:1", seq=1))[0] == "not_member"
    assert (await refused("ann", "read", conv="s:ann", seq=0))[0] == "forbidden"
    assert await rows(sessions) == before


async def test_who_is_blocked_is_not_told(
    autojump_clock, im, people, database, ask_im, receipts, rows
):
    await people.befriend("ann", "bob")
    await ask_im("ann", "send", conv=CHAT, mid="m", text="hi")
    await database.write(
        lambda c: c.exec_driver_sql("UPDATE contacts SET blocked = true WHERE uid = 'bob'") and None
    )
    await ask_im("bob", "read", conv=CHAT, seq=1)
    ((uids, _),) = await receipts()
    assert uids == ["bob"]
    (ann,) = await rows(sessions, sessions.c.uid == "ann")
    assert ann["peer_read_seq"] == 0


async def test_members_of_small_groups_are_told_and_those_of_large_ones_are_not(
    autojump_clock, im, people, ask_im, receipts
):
    await people.group("g:small", "ann", "bob", "cleo")
    await people.join("g:small", "gone", left_seq=1)
    await people.group("g:large", "ann", "bob", "cleo", member_count=101)
    for conv in ("g:small", "g:large"):
        await ask_im("ann", "send", conv=conv, mid="m", text="hi")
        await ask_im("bob", "read", conv=conv, seq=1)
    assert [uids for uids, _ in await receipts()] == [["ann", "bob", "cleo"], ["bob"]]


async def test_who_has_left_a_group_may_clear_what_it_has_not_read(
    autojump_clock, im, people, ask_im, database, position, receipts
):
    await people.group("g:1", "ann", "bob")
    await ask_im("ann", "send", conv="g:1", mid="m", text="hi")
    row = {"uid": "cleo", "conv": "g:1", "left": True}
    await database.write(lambda c: c.execute(insert(sessions), [row]) and None)
    await ask_im("cleo", "read", conv="g:1", seq=1)
    assert await position("cleo", "g:1") == (1, 1)
    assert [uids for uids, _ in await receipts()] == [["cleo"]]
