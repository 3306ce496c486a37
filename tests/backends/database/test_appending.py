import trio

from backends.database.appending import Appended, NewMessage, append
from backends.database.database import Database
from backends.database.group_commit import GroupCommit
from proto.conversations import message_id

NOW_MS = 1_790_000_000_000


def said(mid: str, conv: str = "d:ann|bob", sender: str = "ann", *, counted: bool = True):
    return NewMessage(conv, sender, "Ann", "message", mid, b'{"text":"hello"}', counted)


async def test_messages_are_numbered_by_conversation(database: Database) -> None:
    new = [said("1"), said("2"), said("1", "d:ann|cid"), said("3", counted=False)]
    stand = await database.write(lambda connection: append(connection, new, NOW_MS))
    assert [(each.conv, each.seq, each.count, each.again) for each in stand] == [
        ("d:ann|bob", 1, 1, False),
        ("d:ann|bob", 2, 2, False),
        ("d:ann|cid", 1, 1, False),
        ("d:ann|bob", 3, 2, False),
    ]
    assert stand[0].id == message_id("d:ann|bob", 1)


async def test_a_known_mid_gets_the_first_answer(database: Database) -> None:
    [first] = await database.write(lambda c: append(c, [said("1")], NOW_MS))
    again, other = await database.write(
        lambda c: append(c, [said("1"), said("1", sender="bob")], NOW_MS + 5)
    )
    assert again == Appended(first.conv, 1, NOW_MS, 1, again=True)
    assert (other.seq, other.again) == (2, False)


async def test_the_same_mid_twice_in_one_transaction_is_one_message(database: Database) -> None:
    first, second = await database.write(lambda c: append(c, [said("1"), said("1")], NOW_MS))
    assert (first.seq, first.again, second.seq, second.again) == (1, False, 1, True)


async def test_time_does_not_go_back_in_a_conversation(database: Database) -> None:
    await database.write(lambda c: append(c, [said("1")], NOW_MS))
    [late] = await database.write(lambda c: append(c, [said("2")], NOW_MS - 86_400_000))
    assert (late.seq, late.ts_ms) == (2, NOW_MS)


async def test_requests_that_come_together_share_a_transaction(database: Database) -> None:
    commit = GroupCommit[NewMessage, Appended](database, lambda c, new: append(c, new, NOW_MS))
    seqs: list[int] = []

    async def send(mid: str) -> None:
        seqs.append((await commit.do(said(mid))).seq)

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(send, str(number))
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as committing:
            committing.start_soon(commit.run)
            while len(seqs) < 50:
                await trio.sleep(0)
            committing.cancel_scope.cancel()
    assert sorted(seqs) == list(range(1, 51))
    assert commit.commits == 1
