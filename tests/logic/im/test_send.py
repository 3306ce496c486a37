import msgspec
import pytest
import trio

from backends.database.schema import messages, outbox, sessions
from proto.conversations import direct, message_id
from proto.errors import RequestError
from proto.topics import Topic
from tests.full_disk import full_disk

CHAT = direct("ann", "bob")


async def test_a_message_to_a_friend_is_numbered_kept_and_acknowledged(
    autojump_clock, im, ask_im, people, rows, world
):
    await people.befriend("ann", "bob")
    began_ms = world.parts.now_ms()
    ok = await ask_im("ann", "send", conv=CHAT, mid="m1", text="hi")
    assert began_ms <= ok.pop("ts") <= world.parts.now_ms()
    assert ok == {"conv": CHAT, "seq": 1, "id": message_id(CHAT, 1), "mid": "m1"}
    (kept,) = await rows(messages)
    assert (kept["sender"], kept["name"], kept["kind"]) == ("ann", "Ann", "message")
    assert (bytes(kept["body"]), kept["count"], kept["recalled"]) == (b'{"text":"hi"}', 1, False)
    assert [(row["conv"], row["seq"]) for row in await rows(outbox)] == [(CHAT, 1)]


async def test_the_bus_hears_of_it_after_the_commit(autojump_clock, im, ask_im, people, world):
    await people.befriend("ann", "bob")
    await ask_im("ann", "send", conv=CHAT, mid="m1", text="hi")
    await trio.sleep(0.1)
    (record,) = world.records(Topic.CONVERSATIONS)
    header = record.header
    assert (header.kind, header.id, header.room, header.seq) == (
        "conversation",
        f"{CHAT}/1",
        CHAT,
        1,
    )
    assert (header.trace, record.body) == ("t1", b"")


async def test_the_same_mid_gets_the_first_answer_even_when_the_permission_is_gone(
    autojump_clock, im, ask_im, people, database, rows
):
    await people.befriend("ann", "bob")
    first = await ask_im("ann", "send", conv=CHAT, mid="m1", text="hi")
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM contacts") and None)
    await trio.sleep(5)
    assert await ask_im("ann", "send", conv=CHAT, mid="m1", text="another") == first
    assert len(await rows(messages)) == 1
    with pytest.raises(RequestError, match="not_friends"):
        await ask_im("ann", "send", conv=CHAT, mid="m2", text="hi")


async def test_a_sender_has_read_what_it_says_and_the_other_has_not(
    autojump_clock, im, ask_im, people, rows
):
    await people.befriend("ann", "bob")
    for n in range(3):
        await ask_im("ann", "send", conv=CHAT, mid=f"m{n}", text="hi")
    read = {each["uid"]: (each["read_seq"], each["read_count"]) for each in await rows(sessions)}
    assert read["ann"] == (3, 3)
    assert read.get("bob", (0, 0)) == (0, 0)


async def test_everything_that_may_be_said_is_in_the_body(autojump_clock, im, ask_im, people, rows):
    await people.group("g:1", "ann", "bob")
    await ask_im("ann", "send", conv="g:1", mid="m0", text="first")
    said = {
        "text": "look",
        "data": {"poll": [1, 2]},
        "mentions": ["bob"],
        "mention_all": True,
        "attachments": [{"url": "https://f.example/1.png", "size_bytes": 3}],
        "reply_to": 1,
    }
    await ask_im("ann", "send", conv="g:1", mid="m1", **said)
    assert msgspec.json.decode((await rows(messages))[1]["body"]) == said


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "text"),
        ({"mentions": ["bob"]}, "text"),
        ({"data": [1]}, "data"),
        ({"data": {"x": "y" * 9000}}, "data"),
        ({"text": "x", "reply_to": 1}, "reply_to"),
        ({"text": "x", "mention_all": True}, "mention_all"),
    ],
)
async def test_what_can_not_be_said_is_refused_by_its_field(
    autojump_clock, im, refused, people, rows, fields, field
):
    await people.befriend("ann", "bob")
    assert await refused("ann", "send", conv=CHAT, mid="m", **fields) == ("bad_frame", field)
    assert await rows(messages) == []


async def test_who_may_not_say_anything_in_a_chat(autojump_clock, im, refused, people, rows):
    async def code(uid, conv):
        return (await refused(uid, "send", conv=conv, mid="m", text="x"))[0]

    assert await code("ann", CHAT) == "not_friends"
    await people.befriend("ann", "bob", blocked=True)
    assert await code("ann", CHAT) == "not_friends"
    assert await code("bob", CHAT) == "not_friends"
    await people.befriend("ann", "cleo", state="asked")
    assert await code("ann", direct("ann", "cleo")) == "not_friends"
    assert await code("eve", CHAT) == "not_member"
    assert await code("ann", "d:bob|ann") == "bad_frame"
    assert await code("ann", "s:ann") == "forbidden"
    assert await code("ann", "s:bob") == "not_member"
    assert await rows(messages) == []


async def test_who_may_not_say_anything_in_a_group(
    autojump_clock, im, ask_im, refused, people, database, world
):
    async def code(uid, conv="g:1"):
        return (await refused(uid, "send", conv=conv, mid="m", text="x"))[0]

    assert await code("ann") == "not_member"
    await people.group("g:1", "ann", "bob")
    assert await code("eve") == "not_member"
    await people.join("g:1", "dan", left_seq=4)
    assert await code("dan") == "not_member"
    await people.join("g:1", "cleo", muted_until=world.parts.now_ms() + 5000)
    with pytest.raises(RequestError) as caught:
        await ask_im("cleo", "send", conv="g:1", mid="m", text="x")
    assert caught.value.body.code == "muted"
    assert 4900 <= caught.value.body.retry_after_ms <= 5000
    await trio.sleep(5)
    await ask_im("cleo", "send", conv="g:1", mid="m", text="x")
    await people.group("g:2", "ann", "bob", dissolved=True)
    assert await code("ann", "g:2") == "not_member"


async def test_only_who_leads_a_group_speaks_while_all_are_muted(
    autojump_clock, im, ask_im, refused, people, world
):
    await people.group("g:1", "ann", "bob", muted_until=world.parts.now_ms() + 5000)
    await people.join("g:1", "cleo", role="admin")
    for leader in ("ann", "cleo"):
        await ask_im(leader, "send", conv="g:1", mid="m", text="x", mention_all=True)
    assert (await refused("bob", "send", conv="g:1", mid="m", text="x"))[0] == "muted"


async def test_those_that_come_together_share_a_transaction_and_one_refused_harms_no_other(
    autojump_clock, im, ask_im, people, rows
):
    await people.befriend("ann", "bob")
    answers, refusals = {}, []

    async def send(uid, mid):
        try:
            answers[mid] = await ask_im(uid, "send", conv=CHAT, mid=mid, text="x")
        except RequestError as error:
            refusals.append(error.body.code)

    async with trio.open_nursery() as nursery:
        for n in range(30):
            nursery.start_soon(send, "eve" if n % 10 == 5 else "ann", f"m{n}")
            nursery.start_soon(send, "bob", "always-the-same")
    assert refusals == ["not_member"] * 3
    assert sorted(answer["seq"] for answer in answers.values()) == list(range(1, 29))
    assert [row["seq"] for row in await rows(messages)] == list(range(1, 29))
    assert im.im.sends.commits < 10


async def test_without_the_database_nothing_is_acknowledged(
    autojump_clock, im, refused, people, database, rows
):
    await people.befriend("ann", "bob")
    async with full_disk(database):
        code, *_ = await refused("ann", "send", conv=CHAT, mid="m", text="x" * 4000)
    assert code == "unavailable"
    assert await rows(messages) == []
    assert await rows(outbox) == []


async def test_a_name_that_no_table_takes_is_cut(autojump_clock, im, ask_im, people, rows):
    await people.befriend("ann", "bob")
    await ask_im("ann", "send", conv=CHAT, mid="m", text="x", called="A\0nn" + "n" * 300)
    assert (await rows(messages))[0]["name"] == "Ann" + "n" * 252


async def test_a_clock_that_is_wrong_by_a_day_moves_no_message(
    autojump_clock, im, ask_im, people, world, monkeypatch
):
    """What came first stays first and what is new is last, whoever's clock says what."""
    await people.befriend("ann", "bob")
    clock, sent = world.parts.now_ms.__globals__, []
    start_ms = clock["START_MS"]
    for days in (0, 1, 0, -1, 0):
        monkeypatch.setitem(clock, "START_MS", start_ms + days * 86_400_000)
        sent.append(await ask_im("ann", "send", conv="d:ann|bob", mid=f"m{len(sent)}", text="x"))
    assert [each["seq"] for each in sent] == [1, 2, 3, 4, 5]
    times = [each["ts"] for each in sent]
    assert times == sorted(times)
    assert times[1:] == [times[1]] * 4
