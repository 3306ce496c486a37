import pytest

from backends.database.database import Database
from backends.database.schema import contacts
from proto.errors import ErrorCode
from tests.logic.people import START_MS, People


@pytest.fixture
async def people(database: Database) -> People:
    return People(database, max_friends=3)


async def test_a_request_that_is_accepted_makes_friends_and_both_are_told(people):
    asked = await people.ask("ann", "friend_request", uid="bob", text="It is Ann")
    assert asked == {"uid": "bob", "state": "asked", "blocked": False}
    assert await people.ask("bob", "friend_accept", uid="ann") == {
        "uid": "ann",
        "state": "friend",
        "blocked": False,
    }
    told = [
        ("friend_request", "ann", {"uid": "bob", "text": "It is Ann"}),
        ("friend_accepted", "bob", {"uid": "ann"}),
    ]
    assert await people.told_user("ann") == told
    assert await people.told_user("bob") == told
    convs = [(each.conv, each.seq) for each in people.committed]
    assert sorted(convs) == [("s:ann", 1), ("s:ann", 2), ("s:bob", 1), ("s:bob", 2)]


async def test_who_asks_one_who_has_asked_becomes_a_friend_at_once(people):
    await people.ask("ann", "friend_request", uid="bob")
    assert (await people.ask("bob", "friend_request", uid="ann"))["state"] == "friend"
    assert (await people.told_user("ann"))[1][0] == "friend_accepted"


@pytest.mark.parametrize(
    ("who", "op", "uid"),
    [
        ("ann", "friend_request", "bob"),
        ("bob", "friend_accept", "ann"),
        ("bob", "friend_decline", "ann"),
        ("ann", "friend_remove", "bob"),
        ("bob", "block", "ann"),
        ("bob", "unblock", "ann"),
    ],
)
async def test_the_same_again_changes_nothing_and_tells_nobody(people, who, op, uid):
    if op != "friend_request":
        await people.ask("ann", "friend_request", uid="bob")
    first = await people.ask(who, op, uid=uid)
    told = len(people.committed)
    assert await people.ask(who, op, uid=uid) == first
    assert len(people.committed) == told


async def test_who_is_declined_is_not_told_and_can_not_insist(people):
    await people.ask("ann", "friend_request", uid="bob")
    assert (await people.ask("bob", "friend_decline", uid="ann"))["state"] == "none"
    assert (await people.ask("ann", "friend_request", uid="bob"))["state"] == "asked"
    assert [kind for kind, _, _ in await people.told_user("ann")] == ["friend_request"]
    assert [kind for kind, _, _ in await people.told_user("bob")] == [
        "friend_request",
        "friend_removed",
    ]
    assert (await people.refused("bob", "friend_accept", uid="ann")).code is ErrorCode.NOT_FOUND
    # Declined is not for ever: who has declined may ask.
    assert (await people.ask("bob", "friend_request", uid="ann"))["state"] == "friend"


async def test_a_friendship_ends_for_both_and_leaves_nothing(people):
    await people.befriend("ann", "bob")
    assert (await people.ask("ann", "friend_remove", uid="bob"))["state"] == "none"
    assert await people.told_user("bob") == [("friend_removed", "ann", {"uid": "bob"})]
    assert await people.row(contacts, uid="ann", other="bob") is None
    assert await people.row(contacts, uid="bob", other="ann") is None


async def test_who_is_blocked_is_not_told_and_not_heard(people):
    await people.befriend("ann", "bob")
    assert await people.ask("ann", "block", uid="bob") == {
        "uid": "bob",
        "state": "friend",
        "blocked": True,
    }
    assert not people.committed
    assert (await people.ask("bob", "contacts"))["contacts"][0]["blocked"] is False
    await people.ask("bob", "friend_remove", uid="ann")
    await people.ask("bob", "friend_request", uid="ann")
    assert await people.told_user("ann") == []
    assert (await people.refused("ann", "friend_request", uid="bob")).code is ErrorCode.NOT_FRIENDS
    assert (await people.ask("ann", "unblock", uid="bob"))["state"] == "asking"


async def test_a_stranger_can_be_blocked_beforehand(people):
    await people.ask("ann", "block", uid="eve")
    await people.ask("eve", "friend_request", uid="ann")
    assert await people.told_user("ann") == []
    page = await people.ask("ann", "contacts")
    assert [(each["uid"], each["blocked"]) for each in page["contacts"]] == [("eve", True)]


@pytest.mark.parametrize(
    "op",
    ["friend_request", "friend_accept", "friend_decline", "friend_remove", "block", "unblock"],
)
async def test_nobody_is_a_contact_of_itself(people, op):
    error = await people.refused("ann", op, uid="ann")
    assert (error.code, error.field) == (ErrorCode.BAD_FRAME, "uid")
    assert await people.row(contacts, uid="ann") is None


async def test_who_has_not_asked_can_not_be_accepted(people):
    assert (await people.refused("ann", "friend_accept", uid="bob")).code is ErrorCode.NOT_FOUND
    await people.ask("ann", "friend_request", uid="bob")
    assert (await people.refused("ann", "friend_accept", uid="bob")).code is ErrorCode.NOT_FOUND


async def test_lists_are_full_at_the_limit_on_either_side(people):
    for uid in ("u1", "u2", "u3"):
        await people.ask("ann", "friend_request", uid=uid)
        await people.ask(uid, "friend_request", uid="star")
    assert (await people.refused("ann", "friend_request", uid="u4")).code is ErrorCode.FULL
    assert (await people.refused("u4", "friend_request", uid="star")).code is ErrorCode.FULL
    for uid in ("u1", "u2", "u3"):
        await people.ask(uid, "friend_accept", uid="ann")
    await people.ask("u4", "friend_request", uid="ann")
    error = await people.refused("ann", "friend_accept", uid="u4")
    assert error.code is ErrorCode.FULL
    assert "ann" in error.message
    await people.ask("ann", "friend_remove", uid="u1")
    assert (await people.ask("ann", "friend_accept", uid="u4"))["state"] == "friend"


async def test_contacts_come_in_pages_by_uid(people):
    await people.befriend("ann", *(f"u{i}" for i in range(7)))
    seen, cursor = [], ""
    while True:
        page = await people.ask("ann", "contacts", limit=3, cursor=cursor)
        seen += [each["uid"] for each in page["contacts"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == [f"u{i}" for i in range(7)]
    people.now_ms += 5
    await people.ask("ann", "block", uid="u0")
    page = await people.ask("ann", "contacts", limit=1)
    assert page["contacts"] == [
        {"uid": "u0", "state": "friend", "blocked": True, "ts": START_MS + 5}
    ]


@pytest.mark.parametrize("cursor", ["u1", "%%%", "é", "/w==", "IA=="])
async def test_a_cursor_made_up_is_refused(people, cursor):
    error = await people.refused("ann", "contacts", cursor=cursor)
    assert (error.code, error.field) == (ErrorCode.BAD_CURSOR, "cursor")
