import base64
from typing import Any

import pytest

from backends.database import schema
from logic.im.service import Asker
from proto.conversations import message_id
from proto.errors import ErrorCode, RequestError
from tests.logic.sessions.conftest import ANN, People, message_row


async def test_nobody_has_said_anything(people: People) -> None:
    assert await people.page() == ([], "")


async def test_a_session_tells_all_that_a_list_shows(people: People) -> None:
    conv = "d:ann|bob"
    counts = {"last_count": 6, "read_seq": 4, "read_count": 3, "peer_read_seq": 5}
    await people.session(conv, 1007, 7, muted=True, **counts)
    await people.put(schema.messages, message_row(conv, 7))
    [found], _ = await people.page()
    assert found == {
        "conv": conv,
        "kind": "direct",
        "last_seq": 7,
        "last_ts": 1007,
        "unread": 3,
        "read_seq": 4,
        "peer_read_seq": 5,
        "muted": True,
        "pinned": False,
        "hot": False,
        "left": False,
        "last": {
            "push": "message",
            "conv": conv,
            "seq": 7,
            "id": message_id(conv, 7),
            "kind": "message",
            "uid": "bob",
            "ts": 1007,
            "mid": "m7",
            "name": "Bob",
            "body": {"text": "hi"},
        },
    }


async def group(people: People, *, hot: bool, left: bool) -> dict[str, Any]:
    """A group whose own row stands at message 3, and whose head is at message 9."""
    conv = "g:one"
    own = {"last_count": 3, "read_count": 1, "hot": hot, "left": left}
    await people.session(conv, 1003, 3, **own)
    await people.session("d:ann|bob", 1005)
    head = {"conv": conv, "last_seq": 9, "last_count": 8, "last_ts": 1009, "hot": hot}
    await people.put(schema.conversations, head)
    await people.put(schema.messages, message_row(conv, 3), message_row(conv, 9))
    row = {"conv": conv, "name": "One", "owner": "bob", "member_count": 2, "created": 1}
    await people.put(schema.groups, row)
    found, _ = await people.page()
    return {**next(each for each in found if each["conv"] == conv), "first": found[0]["conv"]}


async def test_a_hot_group_stands_where_its_head_is(people: People) -> None:
    found = await group(people, hot=True, left=False)
    assert (found["first"], found["hot"], found["name"]) == ("g:one", True, "One")
    assert (found["last_seq"], found["last_ts"], found["unread"]) == (9, 1009, 7)
    assert found["last"]["seq"] == 9


@pytest.mark.parametrize(("hot", "left"), [(False, False), (True, True)])
async def test_any_other_stands_where_its_user_is(people: People, hot: bool, left: bool) -> None:
    found = await group(people, hot=hot, left=left)
    assert (found["first"], found["hot"], found["left"]) == ("d:ann|bob", False, left)
    assert (found["last_seq"], found["last_ts"], found["unread"]) == (3, 1003, 2)
    assert found["last"]["seq"] == 3


async def test_pinned_first_then_the_latest_then_by_id(people: People) -> None:
    for conv, ts, pinned in [
        ("d:ann|bob", 5, False),
        ("g:Zed", 7, False),
        ("g:abc", 7, False),
        ("g:old", 1, True),
        ("d:ann|cid", 9, False),
    ]:
        await people.session(conv, ts, pinned=pinned)
    expected = ["g:old", "d:ann|cid", "g:Zed", "g:abc", "d:ann|bob"]
    for limit in (1, 2, 3, 5, 50):
        assert [each["conv"] for each in await people.pages(limit)] == expected


async def test_what_others_have_is_not_shown(people: People) -> None:
    row = {"uid": "bob", "conv": "d:ann|bob", "last_seq": 1, "last_ts": 1}
    await people.put(schema.sessions, row)
    assert await people.page() == ([], "")


async def test_the_last_page_has_no_cursor(people: People) -> None:
    for number in range(4):
        await people.session(f"g:{number}", number)
    first, cursor = await people.page(2)
    second, end = await people.page(2, cursor)
    assert [each["conv"] for each in first + second] == ["g:3", "g:2", "g:1", "g:0"]
    assert end == ""


async def given(people: People) -> str:
    for number in range(3):
        await people.session(f"g:{number}", number)
    return (await people.page(1))[1]


def changed(cursor: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize("place", [0, 6, 10, -1])
async def test_a_changed_cursor_is_refused(people: People, place: int) -> None:
    cursor = changed(await given(people), place)
    with pytest.raises(RequestError, match="cursor: must be the one of the page before") as refused:
        await people.page(1, cursor)
    assert (refused.value.body.code, refused.value.body.field) == (ErrorCode.BAD_CURSOR, "cursor")


@pytest.mark.parametrize("cursor", ["a", "AAAA", "no cursor!", "ü", "A" * 256, "====", "AAAAAAAA"])
async def test_a_made_up_cursor_is_refused(people: People, cursor: str) -> None:
    with pytest.raises(RequestError) as refused:
        await people.page(1, cursor)
    assert refused.value.body.code == ErrorCode.BAD_CURSOR


async def test_a_cursor_is_good_for_its_user_alone(people: People) -> None:
    cursor = await given(people)
    await people.page(1, cursor)
    with pytest.raises(RequestError) as refused:
        await people.page(1, cursor, Asker("bob", "Bob", "viewer", "phone", "t1"))
    assert refused.value.body.code == ErrorCode.BAD_CURSOR


async def test_the_longest_cursor_fits_a_request(people: People) -> None:
    uids = sorted(["a" * 64, "b" * 64])
    asker = ANN._replace(uid=uids[0])
    for conv in (f"d:{uids[0]}|{uids[1]}", "g:one"):
        row = {"uid": uids[0], "conv": conv, "last_seq": 1, "last_ts": 2**53 - 1}
        await people.put(schema.sessions, row)
    _, cursor = await people.page(1, asker=asker)
    assert len(cursor) <= 256
    assert len((await people.page(1, cursor, asker))[0]) == 1
