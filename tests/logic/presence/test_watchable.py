import pytest
from sqlalchemy import insert, update

from backends.database.schema import contacts
from logic.presence.watchable import MAX_UIDS, WatchableHandler
from proto.errors import RequestError
from proto.headers import RequestHeader
from proto.im_services import WatchableBody, Watcher, decode_watchable_answer
from proto.services import Method, encode


async def befriend(database, one: str, other: str, state: str = "friend") -> None:
    rows = [
        {"uid": uid, "other": friend, "state": state, "ts": 0}
        for uid, friend in ((one, other), (other, one))
    ]
    await database.write(lambda connection: connection.execute(insert(contacts), rows))


async def block(database, uid: str, other: str) -> None:
    change = update(contacts).where(contacts.c.uid == uid, contacts.c.other == other)
    await database.write(lambda connection: connection.execute(change.values(blocked=True)))


async def permitted(database, *watchers: tuple[str, list[str]]) -> list[list[str]]:
    header = RequestHeader(1, "access-1", "i1", Method.WATCHABLE, 1000)
    body = encode(WatchableBody([Watcher(uid, uids) for uid, uids in watchers]))
    return decode_watchable_answer(await WatchableHandler(database).handle(header, body)).uids


async def test_friends_and_oneself_are_permitted_in_the_order_asked(database):
    await befriend(database, "ann", "bob")
    await befriend(database, "ann", "cid", "asked")
    assert await permitted(
        database,
        ("ann", ["eve", "cid", "bob", "ann"]),
        ("bob", ["ann", "cid"]),
        ("eve", ["ann", "bob"]),
        ("eve", []),
    ) == [["bob", "ann"], ["ann"], [], []]


@pytest.mark.parametrize("who", [("ann", "bob"), ("bob", "ann")])
async def test_a_block_of_either_ends_it_for_both(database, who):
    await befriend(database, "ann", "bob")
    await block(database, *who)
    assert await permitted(database, ("ann", ["bob"]), ("bob", ["ann"])) == [[], []]


@pytest.mark.parametrize(
    "watcher", [("ann", ["not a uid"]), ("", ["bob"]), ("u", ["u"] * MAX_UIDS)]
)
async def test_bad_uids_are_refused_by_name(database, watcher):
    with pytest.raises(RequestError) as error:
        await permitted(database, watcher)
    assert error.value.body.field == "watchers"
