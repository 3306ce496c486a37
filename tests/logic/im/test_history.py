import pytest
from sqlalchemy import update

from backends.database.schema import messages
from logic.im.history import MAX_PAGE_BYTES
from proto.conversations import direct, message_id

CHAT = direct("ann", "bob")


@pytest.fixture
async def said(people, ask_im):
    """Ten messages in a chat, and in a group that Cleo came into late and Dan left early."""
    await people.befriend("ann", "bob")
    await people.group("g:1", "ann", "bob")
    await people.join("g:1", "cleo", joined_seq=4)
    for conv in (CHAT, "g:1"):
        for n in range(1, 11):
            await ask_im("ann", "send", conv=conv, mid=f"m{n}", text=str(n))
    await people.join("g:1", "dan", left_seq=6)


@pytest.fixture
def seqs(ask_im):
    async def seqs(uid, conv, **fields):
        page = await ask_im(uid, "history", conv=conv, **fields)
        return [frame["seq"] for frame in page["frames"]]

    return seqs


async def test_a_page_has_the_messages_as_they_were_pushed(autojump_clock, im, said, ask_im):
    await ask_im("ann", "recall", conv=CHAT, seq=9)
    page = await ask_im("bob", "history", conv=CHAT, limit=3)
    assert (page["conv"], page["oldest"], page["head"]) == (CHAT, 1, 11)
    ninth, tenth, recall = page["frames"]
    assert tenth.pop("ts") > 0
    assert tenth == {
        "push": "message",
        "conv": CHAT,
        "seq": 10,
        "id": message_id(CHAT, 10),
        "kind": "message",
        "uid": "ann",
        "mid": "m10",
        "name": "Ann",
        "body": {"text": "10"},
    }
    assert (ninth["recalled"], ninth["body"]) == (True, {})
    assert (recall["kind"], recall["body"]) == ("recall", {"target": 9})


async def test_pages_go_back_from_the_end_and_forth_from_anywhere(autojump_clock, im, said, seqs):
    assert await seqs("ann", CHAT, limit=4) == [7, 8, 9, 10]
    assert await seqs("ann", CHAT, before=7, limit=4) == [3, 4, 5, 6]
    assert await seqs("ann", CHAT, before=3, limit=4) == [1, 2]
    assert await seqs("ann", CHAT, before=1) == []
    assert await seqs("ann", CHAT, after=0, limit=2) == [1, 2]
    assert await seqs("ann", CHAT, after=8) == [9, 10]
    assert await seqs("ann", CHAT, after=10) == []
    assert await seqs("ann", CHAT, before=11, limit=2) == [9, 10]


async def test_a_member_sees_what_was_said_while_it_was_there(autojump_clock, im, said, seqs):
    assert await seqs("bob", "g:1") == list(range(1, 11))
    assert await seqs("cleo", "g:1") == list(range(4, 11))
    assert await seqs("cleo", "g:1", before=6) == [4, 5]
    assert await seqs("cleo", "g:1", after=0, limit=2) == [4, 5]
    assert await seqs("dan", "g:1") == list(range(1, 7))


async def test_what_can_not_be_seen(autojump_clock, im, said, refused, seqs):
    assert (await refused("eve", "history", conv=CHAT))[0] == "not_member"
    assert (await refused("eve", "history", conv="g:1"))[0] == "not_member"
    assert (await refused("eve", "history", conv="s:ann"))[0] == "not_member"
    assert (await refused("ann", "history", conv=CHAT, before=12))[0] == "bad_cursor"
    assert (await refused("ann", "history", conv=CHAT, after=11))[0] == "bad_cursor"
    assert (await refused("dan", "history", conv="g:1", before=8))[0] == "bad_cursor"
    assert await refused("ann", "history", conv=CHAT, before=3, after=1) == ("bad_frame", "after")
    assert await seqs("ann", "s:ann") == []


async def test_a_page_of_long_messages_ends_early(autojump_clock, im, people, ask_im, seqs):
    await people.befriend("ann", "bob")
    for n in range(40):
        await ask_im("ann", "send", conv=CHAT, mid=f"m{n}", text="x", data={"x": "y" * 8000})
    newest = await seqs("bob", CHAT, limit=100)
    assert newest[-1] == 40
    assert len(newest) == MAX_PAGE_BYTES // 8150 + 1
    oldest = await seqs("bob", CHAT, after=0, limit=100)
    assert oldest[0] == 1
    assert len(oldest) == len(newest)


async def test_a_message_that_no_mailbox_took_is_in_the_history(
    autojump_clock, im, said, seqs, world
):
    # Longer than the bus carries: the diffusion passes over it.
    long = update(messages).where(messages.c.conv == CHAT, messages.c.seq == 9)
    body = b'{"text":"' + b"x" * 70_000 + b'"}'
    await world.parts.database.write(lambda c: c.execute(long.values(body=body)))
    assert await seqs("bob", CHAT, limit=3) == [8, 9, 10]
