"""What a back end may do in groups that it is no member of."""

import pytest

from proto.errors import ErrorCode
from tests.logic.people import People

SHOP = "api-key:shop"


@pytest.fixture
def people(database) -> People:
    return People(database, max_members=5)


async def ask(people: People, op: str, who: str = SHOP, **fields):
    return await people.ask(who, op, token_role="server", **fields)


@pytest.fixture
async def group(people: People) -> str:
    """A group of Ann's with Bob, whom she does not know."""
    made = await ask(people, "group_create", "ann", mid="m1", name="Team", members=["bob"])
    return made["conv"]


async def test_a_group_is_made_for_its_owner_of_people_who_are_no_friends(people, group):
    assert await people.present(group) == {"ann": "owner", "bob": "member"}
    again = await ask(people, "group_create", "ann", mid="m1", name="Team", members=["bob"])
    assert again["conv"] == group


async def test_users_are_brought_in_and_sent_out_and_the_group_is_told(people, group):
    done = await ask(people, "group_invite", conv=group, uids=["cy", "bob"])
    assert done["uids"] == ["cy"]
    assert (await ask(people, "group_invite", conv=group, uids=["cy"]))["seq"] == 0
    gone = await ask(people, "group_kick", conv=group, uids=["bob", "nobody"])
    assert gone["uids"] == ["bob"]
    assert await people.present(group) == {"ann": "owner", "cy": "member"}
    kinds = [(kind, sender) for kind, sender, _ in await people.told(group, 1)]
    assert kinds == [("group_joined", SHOP), ("group_left", SHOP)]
    assert [kind for kind, _, _ in await people.told_user("cy")] == ["group_joined"]
    assert SHOP not in await people.present(group)


async def test_what_the_owner_may_a_back_end_may(people, group):
    await ask(people, "group_update", conv=group, name="Crew")
    await ask(people, "group_mute", conv=group, for_s=60)
    await ask(people, "group_transfer", conv=group, uid="bob")
    assert await people.present(group) == {"ann": "admin", "bob": "owner"}
    info = await ask(people, "group_info", conv=group)
    assert (info["name"], info["owner"], info["role"]) == ("Crew", "bob", "")
    page = await ask(people, "group_members", conv=group)
    assert [each["uid"] for each in page["members"]] == ["ann", "bob"]
    await ask(people, "group_dissolve", conv=group)
    assert (await people.group(group)).dissolved


async def test_nobody_sends_the_owner_out_and_the_bound_holds(people, group):
    refused = await people.refused(
        SHOP, "group_kick", token_role="server", conv=group, uids=["ann"]
    )
    assert refused.code is ErrorCode.FORBIDDEN
    many = [f"u{number}" for number in range(4)]
    full = await people.refused(SHOP, "group_invite", token_role="server", conv=group, uids=many)
    assert full.code is ErrorCode.FULL


@pytest.mark.parametrize("op", ["group_info", "group_members", "group_dissolve"])
async def test_a_group_that_is_not_there_is_not_found(people, op):
    refused = await people.refused(SHOP, op, token_role="server", conv="g:none")
    assert (refused.code, refused.field) == (ErrorCode.NOT_FOUND, "conv")


async def test_to_everybody_else_nothing_has_changed(people, group):
    for op, fields in (("group_info", {}), ("group_invite", {"uids": ["cy"]})):
        refused = await people.refused("stranger", op, conv=group, **fields)
        assert refused.code is ErrorCode.NOT_MEMBER
    refused = await people.refused("ann", "group_invite", conv=group, uids=["cy"])
    assert refused.code is ErrorCode.NOT_FRIENDS
