import pytest
import trio

from backends.database.schema import messages, outbox
from proto.conversations import direct

CHAT = direct("ann", "bob")


@pytest.fixture
async def said(people, ask_im):
    """Ann has said something in the chat with Bob, and in a group of which Cleo is an admin."""
    await people.befriend("ann", "bob")
    await people.group("g:1", "olga", "ann", "bob")
    await people.join("g:1", "cleo", role="admin")
    for conv in (CHAT, "g:1"):
        await ask_im("ann", "send", conv=conv, mid="m1", text="a secret")


async def test_a_message_of_ones_own_loses_its_body_and_everybody_is_told(
    autojump_clock, im, said, ask_im, rows
):
    ok = await ask_im("ann", "recall", conv=CHAT, seq=1)
    assert (ok["conv"], ok["seq"], ok["target"]) == (CHAT, 2, 1)
    first, notice = await rows(messages, messages.c.conv == CHAT)
    assert (first["recalled"], bytes(first["body"])) == (True, b"{}")
    assert (notice["kind"], notice["sender"], bytes(notice["body"])) == (
        "recall", "ann", b'{"target":1}',
    )  # fmt: skip
    assert notice["count"] == first["count"]
    assert 2 in [row["seq"] for row in await rows(outbox, outbox.c.conv == CHAT)]


async def test_the_same_recall_again_gets_the_first_answer(
    autojump_clock, im, said, ask_im, refused, rows
):
    first = await ask_im("ann", "recall", conv="g:1", seq=1)
    await trio.sleep(200)
    assert await ask_im("ann", "recall", conv="g:1", seq=1) == first
    assert len(await rows(messages, messages.c.conv == "g:1")) == 2
    assert await refused("cleo", "recall", conv="g:1", seq=1) == ("not_found", "")


async def test_after_its_time_only_who_leads_the_group_takes_a_message_back(
    autojump_clock, im, said, ask_im, refused
):
    await trio.sleep(121)
    for conv in (CHAT, "g:1"):
        assert (await refused("ann", "recall", conv=conv, seq=1))[0] == "too_late"
    assert (await ask_im("cleo", "recall", conv="g:1", seq=1))["target"] == 1


async def test_what_can_not_be_taken_back(autojump_clock, im, said, ask_im, refused):
    async def code(uid, conv, seq):
        return (await refused(uid, "recall", conv=conv, seq=seq))[0]

    assert await code("bob", CHAT, 1) == "forbidden"
    assert await code("bob", "g:1", 1) == "forbidden"
    assert await code("eve", CHAT, 1) == "not_member"
    assert await code("eve", "g:1", 1) == "not_member"
    assert await code("ann", CHAT, 2) == "not_found"
    assert await code("ann", CHAT, 0) == "not_found"
    await ask_im("ann", "recall", conv=CHAT, seq=1)
    assert await code("ann", CHAT, 2) == "not_found"
