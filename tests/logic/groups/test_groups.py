import pytest

from backends.database.database import Database
from backends.database.schema import conversations
from proto.errors import ErrorCode
from tests.logic.people import START_MS, People

FRIENDS = ("bob", "cid", "dan", "eve")


@pytest.fixture
async def people(database: Database) -> People:
    found = People(database, max_members=5)
    await found.befriend("ann", *FRIENDS)
    return found


@pytest.fixture
async def conv(people: People) -> str:
    """A group of ann, its owner, bob, its admin, and cid."""
    made = await people.ask("ann", "group_create", mid="m1", name="Tea", members=["bob", "cid"])
    await people.ask("ann", "group_role", conv=made["conv"], uid="bob", role="admin")
    people.committed.clear()
    conv: str = made["conv"]
    return conv


async def test_a_group_begins_with_its_owner_and_friends(people):
    made = await people.ask("ann", "group_create", mid="m1", name="Tea", members=["cid", "bob"])
    conv = made["conv"]
    assert made == {"conv": conv, "seq": 1, "uids": ["bob", "cid"]}
    assert await people.present(conv) == {"ann": "owner", "bob": "member", "cid": "member"}
    assert await people.told(conv) == [
        ("group_created", "ann", {"name": "Tea", "uids": ["ann", "bob", "cid"]})
    ]
    for uid in ("ann", "bob", "cid"):
        assert await people.told_user(uid) == [
            ("group_joined", "ann", {"conv": conv, "joined": 1, "hot": False})
        ]
        session = await people.session(uid, conv)
        assert (session.joined_seq, session.left, session.last_seq) == (1, False, 1)
        assert session.last_count - session.read_count == 0
    assert {each.conv for each in people.committed} == {conv, "s:ann", "s:bob", "s:cid"}


async def test_the_same_mid_makes_one_group_whatever_is_permitted_by_now(people):
    fields = {"mid": "m1", "name": "Tea", "members": ["bob"]}
    made = await people.ask("ann", "group_create", **fields)
    told = len(people.committed)
    await people.ask("bob", "block", uid="ann")
    assert await people.ask("ann", "group_create", **fields) == made
    assert len(people.committed) == told
    other = await people.ask("ann", "group_create", mid="m2", name="Tea")
    assert other["conv"] != made["conv"]


@pytest.mark.parametrize("op", ["group_create", "group_invite"])
async def test_only_friends_are_brought_in(people, conv, op):
    await people.ask("eve", "block", uid="ann")
    place = {"conv": conv} if op == "group_invite" else {"mid": "m9", "name": "X"}
    field = "uids" if op == "group_invite" else "members"
    error = await people.refused("ann", op, **place, **{field: ["dan", "eve", "zoe"]})
    assert (error.code, error.field) == (ErrorCode.NOT_FRIENDS, field)
    assert "eve, zoe" in error.message
    assert "dan" not in error.message
    assert await people.session("dan", conv) is None


async def test_who_is_invited_begins_at_the_invitation_with_nothing_unread(people, conv):
    before = await people.row(conversations, conv=conv)
    done = await people.ask("ann", "group_invite", conv=conv, uids=["dan", "bob", "dan"])
    assert done == {"conv": conv, "seq": before.last_seq + 1, "uids": ["dan"]}
    assert await people.told(conv, before.last_seq) == [("group_joined", "ann", {"uids": ["dan"]})]
    assert await people.told_user("dan") == [
        ("group_joined", "ann", {"conv": conv, "joined": done["seq"], "hot": False})
    ]
    session = await people.session("dan", conv)
    assert (session.joined_seq, session.read_seq) == (done["seq"], before.last_seq)
    assert session.last_count == session.read_count
    assert (await people.group(conv)).member_count == 4
    again = await people.ask("ann", "group_invite", conv=conv, uids=["dan"])
    assert again == {"conv": conv, "seq": 0, "uids": []}


async def test_a_group_that_is_full_takes_nobody(people, conv):
    await people.befriend("ann", "fay")
    error = await people.refused("ann", "group_invite", conv=conv, uids=["dan", "eve", "fay"])
    assert (error.code, error.field) == (ErrorCode.FULL, "uids")
    assert await people.session("dan", conv) is None
    await people.ask("ann", "group_invite", conv=conv, uids=["dan", "eve", "bob"])
    error = await people.refused("ann", "group_invite", conv=conv, uids=["fay"])
    assert error.code is ErrorCode.FULL
    members = ["bob", "cid", "dan", "eve", "fay"]
    error = await people.refused("ann", "group_create", mid="m2", name="B", members=members)
    assert error.code is ErrorCode.FULL


async def test_who_leaves_gets_the_message_that_says_so_and_no_more(people, conv):
    done = await people.ask("cid", "group_leave", conv=conv)
    assert (await people.member("cid", conv)).left_seq == done["seq"]
    session = await people.session("cid", conv)
    assert (session.left, session.last_seq) == (True, done["seq"])
    assert (await people.told(conv))[-1] == ("group_left", "cid", {"uids": ["cid"]})
    assert (await people.told_user("cid"))[-1] == (
        "group_left",
        "cid",
        {"conv": conv, "left": done["seq"]},
    )
    assert (await people.group(conv)).member_count == 2
    assert await people.ask("cid", "group_leave", conv=conv) == {"conv": conv, "seq": 0}
    assert (await people.refused("cid", "group_info", conv=conv)).code is ErrorCode.NOT_MEMBER


async def test_who_comes_back_begins_anew_once_what_was_before_is_delivered(people, conv):
    left = await people.ask("cid", "group_leave", conv=conv)
    error = await people.refused("ann", "group_invite", conv=conv, uids=["cid", "dan"])
    assert (error.code, error.field) == (ErrorCode.OVERLOADED, "uids")
    assert error.retry_after_ms > 0
    await people.diffuse(conv, left["seq"] - 1)
    await people.refused("ann", "group_invite", conv=conv, uids=["cid"])
    await people.diffuse(conv, left["seq"])
    back = await people.ask("ann", "group_invite", conv=conv, uids=["cid"])
    member, session = await people.member("cid", conv), await people.session("cid", conv)
    assert (member.joined_seq, member.left_seq) == (back["seq"], 0)
    assert (session.joined_seq, session.left) == (back["seq"], False)


async def test_who_is_sent_out_is_told_by_whom(people, conv):
    done = await people.ask("bob", "group_kick", conv=conv, uids=["cid", "nobody"])
    assert done["uids"] == ["cid"]
    assert (await people.told(conv))[-1] == ("group_left", "bob", {"uids": ["cid"], "by": "bob"})
    assert (await people.told_user("cid"))[-1][2] == {
        "conv": conv,
        "left": done["seq"],
        "by": "bob",
    }
    again = await people.ask("bob", "group_kick", conv=conv, uids=["cid"])
    assert again == {"conv": conv, "seq": 0, "uids": []}


@pytest.mark.parametrize(
    ("who", "op", "fields"),
    [
        ("ann", "group_leave", {}),
        ("ann", "group_kick", {"uids": ["ann"]}),
        ("bob", "group_kick", {"uids": ["ann"]}),
        ("bob", "group_kick", {"uids": ["cid", "bob"]}),
        ("cid", "group_kick", {"uids": ["bob"]}),
        ("cid", "group_update", {"name": "X"}),
        ("bob", "group_role", {"uid": "cid", "role": "admin"}),
        ("cid", "group_role", {"uid": "cid", "role": "admin"}),
        ("ann", "group_role", {"uid": "ann", "role": "member"}),
        ("cid", "group_mute", {"for_s": 60}),
        ("cid", "group_mute", {"for_s": 60, "uid": "bob"}),
        ("bob", "group_mute", {"for_s": 60, "uid": "ann"}),
        ("bob", "group_mute", {"for_s": 60, "uid": "bob"}),
        ("ann", "group_mute", {"for_s": 60, "uid": "ann"}),
        ("bob", "group_transfer", {"uid": "bob"}),
        ("cid", "group_transfer", {"uid": "ann"}),
        ("bob", "group_dissolve", {}),
        ("ann", "group_tag", {"hot": True}),
    ],
)
async def test_what_a_role_does_not_allow_is_forbidden(people, conv, who, op, fields):
    members = await people.present(conv)
    assert (await people.refused(who, op, conv=conv, **fields)).code is ErrorCode.FORBIDDEN
    assert await people.present(conv) == members


async def test_an_admin_does_not_act_on_another(people, conv):
    await people.ask("ann", "group_role", conv=conv, uid="cid", role="admin")
    for op, fields in (("group_kick", {"uids": ["cid"]}), ("group_mute", {"uid": "cid"})):
        extra = {"for_s": 5} if op == "group_mute" else {}
        error = await people.refused("bob", op, conv=conv, **fields, **extra)
        assert error.code is ErrorCode.FORBIDDEN
        assert "cid is admin" in error.message


@pytest.mark.parametrize("where", ["there", "nowhere", "dissolved"])
@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("group_update", {"name": "X"}),
        ("group_invite", {"uids": ["ann"]}),
        ("group_leave", {}),
        ("group_kick", {"uids": ["cid"]}),
        ("group_role", {"uid": "cid", "role": "admin"}),
        ("group_mute", {"for_s": 1}),
        ("group_transfer", {"uid": "cid"}),
        ("group_dissolve", {}),
        ("group_info", {}),
        ("group_members", {}),
    ],
)
async def test_a_stranger_learns_nothing_of_a_group(people, conv, where, op, fields):
    if where == "dissolved":
        await people.ask("ann", "group_dissolve", conv=conv)
    asked = "g:nowhere" if where == "nowhere" else conv
    error = await people.refused("zoe", op, conv=asked, **fields)
    assert (error.code, error.field) == (ErrorCode.NOT_MEMBER, "conv")


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("group_role", {"role": "admin"}),
        ("group_mute", {"for_s": 60}),
        ("group_transfer", {}),
    ],
)
async def test_what_is_done_to_a_member_needs_one(people, conv, op, fields):
    error = await people.refused("ann", op, conv=conv, uid="dan", **fields)
    assert (error.code, error.field) == (ErrorCode.NOT_MEMBER, "uid")


async def test_a_group_gets_another_name(people, conv):
    await people.ask("bob", "group_update", conv=conv, name="Coffee")
    assert (await people.ask("cid", "group_info", conv=conv))["name"] == "Coffee"
    assert (await people.told(conv))[-1] == ("group_updated", "bob", {"name": "Coffee"})
    assert (await people.ask("bob", "group_update", conv=conv, name="Coffee"))["seq"] == 0


@pytest.mark.parametrize("name", [" ", "a\nb", "\u200b"])
async def test_a_name_that_nobody_can_read_is_refused(people, conv, name):
    error = await people.refused("ann", "group_update", conv=conv, name=name)
    assert (error.code, error.field) == (ErrorCode.BAD_FRAME, "name")
    error = await people.refused("ann", "group_create", mid="m2", name=name)
    assert (error.code, error.field) == (ErrorCode.BAD_FRAME, "name")


async def test_roles_are_given_and_taken(people, conv):
    await people.ask("ann", "group_role", conv=conv, uid="cid", role="admin")
    assert (await people.told(conv))[-1][2] == {"uid": "cid", "role": "admin"}
    await people.ask("ann", "group_role", conv=conv, uid="bob", role="member")
    assert await people.present(conv) == {"ann": "owner", "bob": "member", "cid": "admin"}
    assert (await people.ask("ann", "group_role", conv=conv, uid="cid", role="admin"))["seq"] == 0


async def test_members_and_whole_groups_are_silenced_for_a_time(people, conv):
    await people.ask("bob", "group_mute", conv=conv, uid="cid", for_s=60)
    until = START_MS + 60_000
    assert (await people.told(conv))[-1][2] == {"uid": "cid", "for_s": 60, "until": until}
    assert (await people.ask("cid", "group_info", conv=conv))["own_muted_until"] == until
    await people.ask("ann", "group_mute", conv=conv, for_s=5)
    info = await people.ask("cid", "group_info", conv=conv)
    assert info["muted_until"] == START_MS + 5000
    await people.ask("bob", "group_mute", conv=conv, uid="cid", for_s=0)
    await people.ask("bob", "group_mute", conv=conv, for_s=0)
    info = await people.ask("cid", "group_info", conv=conv)
    assert (info["muted_until"], info["own_muted_until"]) == (0, 0)


async def test_a_group_changes_its_owner(people, conv):
    await people.ask("bob", "group_mute", conv=conv, uid="cid", for_s=60)
    await people.ask("ann", "group_transfer", conv=conv, uid="cid")
    assert await people.present(conv) == {"ann": "admin", "bob": "admin", "cid": "owner"}
    assert (await people.group(conv)).owner == "cid"
    assert (await people.member("cid", conv)).muted_until == 0
    # The same again, since the answer may have been lost.
    assert (await people.ask("ann", "group_transfer", conv=conv, uid="cid"))["seq"] == 0
    assert (await people.ask("ann", "group_leave", conv=conv))["seq"] > 0


async def test_a_group_ends_with_a_message_and_touches_no_member(people, conv):
    done = await people.ask("ann", "group_dissolve", conv=conv)
    assert (await people.told(conv))[-1] == ("group_dissolved", "ann", {})
    assert [(each.conv, each.seq) for each in people.committed] == [(conv, done["seq"])]
    assert len(await people.present(conv)) == 3
    assert (await people.ask("ann", "group_dissolve", conv=conv))["seq"] == 0
    (session,) = (await people.ask("cid", "sessions"))["sessions"]
    assert (session["conv"], session["left"]) == (conv, True)
    for who, op in (("ann", "group_info"), ("cid", "group_leave"), ("bob", "group_dissolve")):
        assert (await people.refused(who, op, conv=conv)).code is ErrorCode.NOT_MEMBER


async def test_the_hot_stream_of_a_group_ends_with_it(people, conv):
    await people.ask("shop", "group_tag", token_role="server", conv=conv, hot=True)
    await people.ask("ann", "group_dissolve", conv=conv)
    assert [kind for kind, _, _ in await people.told(conv)][-2:] == ["group_dissolved", "cool"]
    assert not (await people.row(conversations, conv=conv)).hot
    assert not (await people.group(conv)).tagged_hot


async def test_members_see_what_the_group_is(people, conv):
    assert await people.ask("bob", "group_info", conv=conv) == {
        "conv": conv,
        "name": "Tea",
        "owner": "ann",
        "member_count": 3,
        "muted_until": 0,
        "hot": False,
        "created": START_MS,
        "role": "admin",
        "joined": 1,
        "own_muted_until": 0,
    }


async def test_members_come_in_pages_by_uid_without_who_has_left(people, conv):
    await people.ask("ann", "group_invite", conv=conv, uids=["dan", "eve"])
    await people.ask("ann", "group_kick", conv=conv, uids=["cid"])
    seen, cursor = [], ""
    while True:
        page = await people.ask("ann", "group_members", conv=conv, limit=2, cursor=cursor)
        seen += [(each["uid"], each["role"]) for each in page["members"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == [("ann", "owner"), ("bob", "admin"), ("dan", "member"), ("eve", "member")]
    error = await people.refused("ann", "group_members", conv=conv, cursor="made-up")
    assert error.code is ErrorCode.BAD_CURSOR


async def test_a_back_end_keeps_a_group_hot(people, conv):
    before = await people.row(conversations, conv=conv)
    done = await people.ask("shop", "group_tag", token_role="server", conv=conv, hot=True)
    assert done["seq"] == before.last_seq + 1
    assert (await people.told(conv))[-1][0] == "hot"
    assert (await people.row(conversations, conv=conv)).hot
    assert (await people.group(conv)).tagged_hot
    again = await people.ask("shop", "group_tag", token_role="server", conv=conv, hot=True)
    assert again["seq"] == 0
    joined = await people.ask("ann", "group_invite", conv=conv, uids=["dan"])
    assert (await people.told_user("dan"))[-1][2]["hot"] is True
    session = await people.session("dan", conv)
    assert (session.hot, session.joined_seq) == (True, joined["seq"])
    await people.ask("shop", "group_tag", token_role="server", conv=conv, hot=False)
    assert not (await people.group(conv)).tagged_hot
    assert (await people.row(conversations, conv=conv)).hot


async def test_a_back_end_is_told_that_there_is_no_such_group(people, conv):
    await people.ask("ann", "group_dissolve", conv=conv)
    for asked in ("g:nowhere", conv):
        error = await people.refused("shop", "group_tag", token_role="server", conv=asked, hot=True)
        assert (error.code, error.field) == (ErrorCode.NOT_FOUND, "conv")
