import msgspec
import pytest
import trio

from proto.conversations import direct
from proto.topics import Topic

CHAT = direct("ann", "bob")


@pytest.fixture
def told(world):
    """Return who is told on the bus that somebody types, and the push."""

    async def told():
        await trio.sleep(0.1)
        records = world.records(Topic.BULK)
        return [
            (sorted(r.header.uids), msgspec.json.decode(r.body))
            for r in records
            if r.header.kind == "users"
        ]

    return told


async def test_the_other_is_told_and_nothing_is_kept(
    autojump_clock, im, people, ask_im, told, database
):
    await people.befriend("ann", "bob")
    writes = database.writes
    assert await ask_im("ann", "typing", conv=CHAT) == {}
    assert await ask_im("ann", "typing", conv=CHAT, on=False) == {}
    push = {"push": "typing", "conv": CHAT, "uid": "ann"}
    assert await told() == [(["bob"], push | {"on": on}) for on in (True, False)]
    assert database.writes == writes


async def test_in_a_group_the_others_who_are_there_are_told_unless_they_are_many(
    autojump_clock, im, people, ask_im, told
):
    await people.group("g:1", "ann", "bob", "cleo")
    await people.join("g:1", "gone", left_seq=1)
    await people.group("g:2", "ann", "bob", member_count=201)
    for conv in ("g:1", "g:2"):
        assert await ask_im("ann", "typing", conv=conv) == {}
    assert [uids for uids, _ in await told()] == [["bob", "cleo"]]


async def test_who_may_not_say_anything_is_not_seen_typing(
    autojump_clock, im, people, refused, told, world
):
    await people.group("g:1", "ann")
    await people.join("g:1", "bob", muted_until=world.parts.now_ms() + 60_000)
    assert (await refused("ann", "typing", conv=CHAT))[0] == "not_friends"
    assert (await refused("eve", "typing", conv=CHAT))[0] == "not_member"
    assert (await refused("bob", "typing", conv="g:1"))[0] == "muted"
    assert (await refused("ann", "typing", conv="s:ann"))[0] == "forbidden"
    assert await told() == []
