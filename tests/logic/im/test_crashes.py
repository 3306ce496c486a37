"""Whatever crashes between whichever steps: each message has one number and one place.

A model of clients that repeat what was not answered, over any number of instances on one database:
an instance may die before the commit, within it, or after it before the answer is out.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event, insert, select

from backends.database.appending import Appended, NewMessage, mid_key
from backends.database.schema import (
    contacts,
    conversations,
    diffusions,
    messages,
    metadata,
    outbox,
    sessions,
)
from logic.im.committing import Sending, commit
from proto.conversations import direct

USERS = ("ann", "bob", "cleo")
CHATS = [direct("ann", "bob"), direct("ann", "cleo")]

sends = st.tuples(st.sampled_from(CHATS), st.booleans(), st.integers(0, 5))
"""A chat, which of its users speaks, and the user's number for the message."""

batches = st.lists(
    st.tuples(st.lists(sends, min_size=1, max_size=6), st.sampled_from(["done", "lost", "died"])),
    max_size=12,
)
"""Transactions: what is in it; `lost`: it is committed and its answers are lost, `died`: it is not
committed."""


class DiedError(Exception):
    """The instance has died within the transaction."""


def sending(send: tuple[str, bool, int]) -> Sending:
    conv, first, number = send
    uid = conv[2:].split("|")[0 if first else 1]
    mid = f"m{number}"
    message = NewMessage(conv, uid, uid, "message", mid, b'{"text":"x"}')
    return Sending(mid_key(conv, uid, mid), message)


def fresh() -> Engine:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [contacts, conversations, diffusions, messages, outbox, sessions])
    pairs = [("ann", "bob"), ("ann", "cleo"), ("bob", "ann"), ("cleo", "ann")]
    with engine.begin() as connection:
        rows = [{"uid": a, "other": b, "state": "friend", "ts": 1} for a, b in pairs]
        connection.execute(insert(contacts), rows)
    return engine


def transact(engine: Engine, asked: list[Sending], now_ms: int, *, dies: bool) -> list[Any]:
    with engine.begin() as connection:
        outcomes = commit(connection, asked, now_ms)
        if dies:
            raise DiedError
    return list(outcomes)


@settings(max_examples=30)
@given(batches=batches)
def test_each_message_has_one_number_and_one_place(batches):
    engine, answers = fresh(), {}
    for step, (asked, fate) in enumerate(batches):
        wanted = [sending(each) for each in asked]
        try:
            # A clock that goes back now and then, as clocks do.
            outcomes = transact(engine, wanted, 1000 - step % 3, dies=fate == "died")
        except DiedError:
            continue
        if fate == "done":
            check_first_answers(answers, wanted, outcomes)
    last = {each.key: each for asked, _ in batches for each in map(sending, asked)}
    retried = list(last.values())
    check_first_answers(answers, retried, transact(engine, retried, 2000, dies=False))
    check_tables(engine, last)
    engine.dispose()


def check_first_answers(answers: dict[bytes, Any], asked: list[Sending], found: list[Any]) -> None:
    """Whoever asks again gets what it was told before, within one transaction too."""
    assert all(isinstance(each, Appended) for each in found)
    for each, stands in zip(asked, found, strict=True):
        answer = (stands.conv, stands.seq, stands.id, stands.ts_ms)
        assert answers.setdefault(each.key, answer) == answer


def check_tables(engine: Engine, wanted: dict[bytes, Sending]) -> None:
    with engine.begin() as connection:
        kept = connection.execute(select(messages).order_by(messages.c.conv, messages.c.seq)).all()
        heads = {row.conv: row for row in connection.execute(select(conversations))}
        waiting = {(row.conv, row.seq) for row in connection.execute(select(outbox))}
        read = {(row.uid, row.conv): row for row in connection.execute(select(sessions))}
    assert {bytes(row.mid_key) for row in kept} == set(wanted)
    assert len(kept) == len(wanted)
    for conv in {row.conv for row in kept}:
        rows = [row for row in kept if row.conv == conv]
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert [row.count for row in rows] == list(range(1, len(rows) + 1))
        assert [row.ts for row in rows] == sorted(row.ts for row in rows)
        assert (heads[conv].last_seq, heads[conv].last_count) == (len(rows), len(rows))
    assert waiting == {(row.conv, row.seq) for row in kept}
    own = {(row.sender, row.conv): row.seq for row in kept}
    assert {whose: row.read_seq for whose, row in read.items()} == own


@settings(max_examples=30)
@given(first=st.lists(sends, max_size=5), step=st.integers(1, 12), then=st.lists(sends, max_size=5))
def test_an_instance_that_dies_within_a_transaction_leaves_nothing_of_it(first, step, then):
    """Dies at any statement of it."""
    engine = fresh()
    asked = [sending(each) for each in first]
    with_death = dying(engine, step)
    try:
        transact(engine, asked, 1000, dies=False)
    except DiedError:
        with engine.begin() as connection:
            assert connection.execute(select(messages)).all() == []
            assert connection.execute(select(outbox)).all() == []
    with_death.clear()
    wanted = {each.key: each for each in [*asked, *map(sending, then)]}
    transact(engine, list(wanted.values()), 2000, dies=False)
    check_tables(engine, wanted)
    engine.dispose()


def dying(engine: Engine, step: int) -> list[int]:
    """Make statement `step` of what follows raise `DiedError`, until the list is cleared."""
    left = [step]

    @event.listens_for(engine, "before_cursor_execute")
    def _count(*_: Any) -> None:
        if left:
            left[0] -= 1
            if left[0] == 0:
                raise DiedError

    return left


async def test_a_node_that_dies_after_the_commit_leaves_an_answer_for_the_retry(
    autojump_clock, nursery, world, people, im, ask_im, rows
):
    await people.befriend("ann", "bob")
    chat = direct("ann", "bob")
    asked = Sending(
        mid_key(chat, "ann", "m1"), NewMessage(chat, "ann", "Ann", "message", "m1", b"{}")
    )
    # The commit of another node, whose answer and whose event are lost.
    lost = await world.parts.database.write(lambda c: commit(c, [asked], 1000))
    ok = await ask_im("ann", "send", conv=chat, mid="m1", text="hi")
    assert (ok["seq"], ok["id"], ok["ts"]) == (1, lost[0].id, 1000)
    assert [row["seq"] for row in await rows(outbox)] == [1]
