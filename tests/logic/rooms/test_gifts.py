"""Gifts are paid for: what becomes of those whose receipt is missing, foreign, used or old."""

import pytest
import trio

from proto.errors import RequestError
from proto.receipts import Receipt, mint_receipt
from proto.services import Method
from proto.token_keys import hs256
from proto.topics import Topic
from tests.gifts import SECRET, SETTINGS, receipt_for

NOW_S = 1_790_000_000
ROSE = {"op": "gift", "gift": "rose", "value": 1}


@pytest.fixture
def give(ask, logic):
    """Give a rose; returns the `ok`, or the error's code and field."""

    async def give(receipt, *, on=logic, uid="ann", **fields):
        body = ROSE | ({"receipt": receipt} if receipt is not None else {}) | fields
        try:
            return await ask(on, Method.PUBLISH, body, uid=uid)
        except RequestError as error:
            return error.body.code.value, error.body.field

    return give


def minted(key=SECRET, **claims):
    facts = {"jti": "o1", "sub": "ann", "room": "a", "gift": "rose", "value": 1, "exp": NOW_S + 9}
    return mint_receipt(Receipt(**facts | claims), hs256(key))


async def test_a_gift_is_kept_with_its_receipt(autojump_clock, give, world):
    assert "seq" in await give(receipt_for(NOW_S))
    assert "seq" in await give(receipt_for(NOW_S, count=3), count=3)
    assert (await world.room_log.heads("a")).seqs == (0, 2, 0)


async def test_a_gift_without_a_good_receipt_is_not_given(autojump_clock, give, world):
    assert await give(None) == ("receipt_invalid", "receipt")
    assert await give(minted(value=1000)) == ("receipt_invalid", "receipt.value")
    assert (await world.room_log.heads("a")).seqs == (0, 0, 0)


async def test_a_receipt_is_used_once_on_any_instance(autojump_clock, give, world):
    receipt, other = receipt_for(NOW_S), world.logic()
    first = await give(receipt, mid="m1")
    assert await give(receipt, mid="m1", on=other) == first
    assert await give(receipt, mid="m2") == ("receipt_used", "receipt")
    assert await give(receipt, on=other) == ("receipt_used", "receipt"), "without a mid"
    assert (await world.room_log.heads("a")).seqs == (0, 1, 0)


async def test_a_retry_behind_the_end_of_the_receipt_gets_the_first_answer(autojump_clock, give):
    receipt = minted(exp=NOW_S + 5)
    first = await give(receipt, mid="m1")
    await trio.sleep(10)
    assert await give(receipt, mid="m1") == first
    assert await give(None, mid="m1") == first
    assert await give(receipt, mid="m2") == ("receipt_invalid", "receipt.exp")
    assert await give(receipt, mid="m1", uid="bob") == ("receipt_invalid", "receipt.exp")


async def test_the_receipt_is_shown_to_nobody(autojump_clock, world, running, ask):
    logic, _ = await running()
    receipt = receipt_for(NOW_S)
    await ask(logic, Method.PUBLISH, ROSE | {"receipt": receipt})
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic.NORMAL)
    assert b"receipt" not in record.body


async def test_the_secret_before_is_believed_while_keys_are_changed(autojump_clock, world, give):
    new = {"secret": "a new secret of more than thirty-two bytes", "previous_secret": SECRET}
    changed = world.logic(receipts=type(SETTINGS)(**new))
    assert "seq" in await give(receipt_for(NOW_S), on=changed)
    gone = world.logic(receipts=type(SETTINGS)(secret=new["secret"]))
    assert await give(receipt_for(NOW_S), on=gone) == ("receipt_invalid", "receipt")


def test_a_table_without_any_key_is_refused():
    with pytest.raises(ValueError, match=r"secret: must be given, or else `key_files`"):
        type(SETTINGS)(secret="")
