"""Requests that meet in the database, each in a transaction of its own thread."""

import functools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from backends.database.database import open_database
from backends.database.settings import DatabaseSettings
from proto.errors import RequestError
from tests.logic.people import People

UIDS = [f"u{i}" for i in range(8)]


@pytest.fixture
async def people(database_url: str) -> AsyncIterator[People]:
    settings = DatabaseSettings(url=database_url, synchronous="NORMAL")
    async with open_database(settings) as database:
        yield People(database, max_members=len(UIDS))


async def at_once(*asks: Any) -> list[Any]:
    """Return what each of `asks` answers, or its error."""
    answers: list[Any] = [None] * len(asks)

    async def one(index: int, ask: Any) -> None:
        try:
            answers[index] = await ask()
        except RequestError as error:
            answers[index] = error

    async with trio.open_nursery() as nursery:
        for index, ask in enumerate(asks):
            nursery.start_soon(one, index, ask)
    return answers


async def test_one_mid_makes_one_group(people):
    create = functools.partial(people.ask, "ann", "group_create", mid="m1", name="Tea")
    answers = await at_once(*[create] * 6)
    assert len({each["conv"] for each in answers}) == 1
    assert [kind for kind, _, _ in await people.told_user("ann")] == ["group_joined"]


async def test_two_who_ask_each_other_become_friends(people):
    for number in range(5):
        one, two = f"a{number}", f"b{number}"
        await at_once(
            functools.partial(people.ask, one, "friend_request", uid=two),
            functools.partial(people.ask, two, "friend_request", uid=one),
        )
        for uid in (one, two):
            (contact,) = (await people.ask(uid, "contacts"))["contacts"]
            assert contact["state"] == "friend"
            kinds = [kind for kind, _, _ in await people.told_user(uid)]
            assert kinds == ["friend_request", "friend_accepted"]


async def test_who_comes_and_goes_at_once_is_counted_once(people):
    for i, uid in enumerate(UIDS[:-1]):
        await people.befriend(uid, *UIDS[i + 1 :])
    conv = (await people.ask("u0", "group_create", mid="m1", name="Tea"))["conv"]
    chance = random.Random(2)
    for _ in range(10):
        await at_once(*(_act(people, conv, chance) for _ in range(8)))
        present, group = await people.present(conv), await people.group(conv)
        assert group.member_count == len(present)
        assert [uid for uid, role in present.items() if role == "owner"] == [group.owner]
        await people.diffuse(conv, 10_000)
    assert len(await people.told(conv)) > 10


def _act(people: People, conv: str, chance: random.Random) -> Any:
    op = chance.choice(
        ["group_invite", "group_invite", "group_kick", "group_transfer", "group_leave"]
    )
    who, named = chance.choice(UIDS), chance.sample(UIDS, 3)
    fields: dict[str, Any] = {
        "group_invite": {"uids": named},
        "group_kick": {"uids": named[:2]},
        "group_transfer": {"uid": named[0]},
        "group_leave": {},
    }[op]
    return functools.partial(people.ask, who, op, conv=conv, **fields)
