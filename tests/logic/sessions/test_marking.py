import pytest

from backends.database import schema
from proto.errors import ErrorCode, RequestError
from tests.logic.sessions.conftest import People

CONV = "d:ann|bob"


async def convs(people: People) -> list[str]:
    return [each["conv"] for each in (await people.page())[0]]


async def test_what_is_not_named_stays(people: People) -> None:
    await people.session(CONV, 5, muted=True)
    answer = {"conv": CONV, "muted": True, "pinned": True, "hidden": False}
    assert await people.mark(CONV, pinned=True) == answer
    assert await people.mark(CONV, pinned=True) == answer
    assert await people.mark(CONV, muted=False) == answer | {"muted": False}
    [found], _ = await people.page()
    assert (found["muted"], found["pinned"]) == (False, True)


async def test_a_hidden_session_comes_back_when_asked(people: People) -> None:
    await people.session(CONV, 5)
    assert (await people.mark(CONV, hidden=True))["hidden"]
    assert await convs(people) == []
    assert not (await people.mark(CONV, hidden=False))["hidden"]
    assert await convs(people) == [CONV]


async def test_a_hidden_session_comes_back_with_its_next_message(people: People) -> None:
    await people.session(CONV, 5, 3)
    await people.mark(CONV, hidden=True)
    moved = schema.sessions.update().values(last_seq=4)
    await people.database.write(lambda connection: connection.execute(moved))
    assert await convs(people) == [CONV]


async def test_a_hidden_hot_group_comes_back_with_its_next_message(people: People) -> None:
    await people.session("g:hot", 5, 3, hot=True)
    await people.put(schema.conversations, {"conv": "g:hot", "last_seq": 8, "last_ts": 9})
    assert (await people.mark("g:hot", hidden=True))["hidden"]
    assert await convs(people) == []
    moved = schema.conversations.update().values(last_seq=9)
    await people.database.write(lambda connection: connection.execute(moved))
    assert await convs(people) == ["g:hot"]


async def test_a_chat_with_a_friend_may_be_marked_before_anything_was_said(people: People) -> None:
    friend = {"uid": "ann", "other": "bob", "state": "friend", "ts": 1}
    await people.put(schema.contacts, friend)
    answer = await people.mark(CONV, muted=True)
    assert answer == {"conv": CONV, "muted": True, "pinned": False, "hidden": False}
    assert await convs(people) == []


@pytest.mark.parametrize("conv", [CONV, "g:one", "d:bob|cid", "s:ann", "s:bob"])
async def test_what_the_user_is_not_in_is_refused(people: People, conv: str) -> None:
    with pytest.raises(RequestError) as refused:
        await people.mark(conv, muted=True)
    assert refused.value.body.code == ErrorCode.NOT_MEMBER


@pytest.mark.parametrize(
    ("conv", "marks", "field"), [(CONV, {}, "muted"), ("d:bob|ann", {"muted": True}, "conv")]
)
async def test_bad_fields_are_named(
    people: People, conv: str, marks: dict[str, bool], field: str
) -> None:
    with pytest.raises(RequestError) as refused:
        await people.mark(conv, **marks)
    assert (refused.value.body.code, refused.value.body.field) == (ErrorCode.BAD_FRAME, field)
