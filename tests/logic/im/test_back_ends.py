"""What a back end says: to a user as the cluster does, and in groups that it is not in."""

from backends.database.schema import messages, sessions
from proto.conversations import direct, system

SHOP = {"role": "server", "called": "The shop"}


async def test_a_user_is_told_in_its_system_conversation_once(
    autojump_clock, im, ask_im, people, rows
):
    say = ("api-key:shop", "send")
    first = await ask_im(*say, conv=system("ann"), mid="m1", text="paid", **SHOP)
    assert (first["conv"], first["seq"]) == ("s:ann", 1)
    assert await ask_im(*say, conv=system("ann"), mid="m1", text="paid", **SHOP) == first
    (kept,) = await rows(messages)
    assert (kept["sender"], kept["name"], kept["kind"]) == ("api-key:shop", "The shop", "message")
    assert kept["count"] == 1
    assert await rows(sessions, sessions.c.uid == "api-key:shop") == []


async def test_a_group_hears_a_back_end_whoever_is_muted(
    autojump_clock, im, ask_im, refused, people, rows
):
    await people.group("g:1", "ann", "bob", muted_until=10**15)
    await ask_im("ann", "send", conv="g:1", mid="m0", text="hi")
    assert (await refused("bob", "send", conv="g:1", mid="m1", text="hi"))[0] == "muted"
    told = await ask_im(
        "api-key:shop", "send", conv="g:1", mid="m2", text="sale", mention_all=True, **SHOP
    )
    assert told["seq"] == 2
    reply = {"conv": "g:1", "mid": "m3", "text": "x", "reply_to": 9}
    assert await refused("api-key:shop", "send", **reply, **SHOP) == ("bad_frame", "reply_to")


async def test_a_back_end_reads_all_of_a_group_that_it_is_not_in(
    autojump_clock, im, ask_im, refused, people
):
    await people.group("g:1", "ann")
    for number in range(3):
        await ask_im("ann", "send", conv="g:1", mid=f"m{number}", text=str(number))
    page = await ask_im("api-key:shop", "history", conv="g:1", after=1, **SHOP)
    assert [frame["body"]["text"] for frame in page["frames"]] == ["1", "2"]
    assert (page["oldest"], page["head"]) == (1, 3)
    chat = await refused("api-key:shop", "history", conv=direct("ann", "bob"), **SHOP)
    assert chat[0] == "not_member"
    assert (await refused("api-key:shop", "history", conv="g:none", **SHOP))[0] == "not_member"
    assert (await refused("stranger", "history", conv="g:1"))[0] == "not_member"


async def test_there_must_be_such_a_group_and_chats_of_two_stay_theirs(
    autojump_clock, im, refused, people
):
    await people.group("g:gone", "ann", dissolved=True)
    for conv in ("g:none", "g:gone"):
        answer = await refused("api-key:shop", "send", conv=conv, mid="m1", text="x", **SHOP)
        assert answer == ("not_found", "conv")
    chat = direct("ann", "bob")
    assert (await refused("api-key:shop", "send", conv=chat, mid="m1", text="x", **SHOP))[0] == (
        "not_member"
    )
    to_system = {"conv": system("ann"), "mid": "m1", "text": "x"}
    assert (await refused("ann", "send", **to_system))[0] == "forbidden"
