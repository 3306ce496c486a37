"""Receipts of gifts: what is believed of them, claim by claim."""

from typing import Any

import pytest

from proto.client_requests import Gift
from proto.errors import ErrorCode, RequestError
from proto.receipts import MAX_LIFE_S, Receipt, mint_receipt, verify_receipt
from proto.token_keys import Keyring, hs256

SECRET = "a secret of receipts, of more than thirty-two bytes"
KEYRING = Keyring([hs256(SECRET)])
NOW_S = 1_790_000_000


def minted(key: str = SECRET, **claims: Any) -> str:
    facts = {"jti": "o1", "sub": "ann", "room": "a", "gift": "rose", "value": 1, "exp": NOW_S + 9}
    return mint_receipt(Receipt(**facts | claims), hs256(key))


def verified(receipt: str, **given: Any) -> Receipt:
    fields = {"id": 1, "room": "a", "gift": "rose", "value": 1, "receipt": receipt}
    return verify_receipt(Gift(**fields | given), "ann", KEYRING, NOW_S)


def test_what_was_signed_is_believed() -> None:
    assert verified(minted()).jti == "o1"
    assert verified(minted(count=3), count=3).count == 3
    assert verified(minted(exp=NOW_S + MAX_LIFE_S)).exp == NOW_S + MAX_LIFE_S


@pytest.mark.parametrize(
    ("receipt", "field"),
    [
        ("", "receipt"),
        ("no token", "receipt"),
        ("a.b.c", "receipt"),
        (minted(key="another secret of more than thirty-two bytes"), "receipt"),
        (minted()[:-3], "receipt"),
        (minted().replace("eyJhbGciOiJIUzI1NiI", "eyJhbGciOiJub25lIiw"), "receipt"),
        (minted(exp=NOW_S), "receipt.exp"),
        (minted(exp=NOW_S + MAX_LIFE_S + 1), "receipt.exp"),
        (minted(sub="bob"), "receipt.sub"),
        (minted(room="b"), "receipt.room"),
        (minted(gift="car"), "receipt.gift"),
        (minted(value=1000), "receipt.value"),
        (minted(count=2), "receipt.count"),
        (minted(aud="relaymesh"), "receipt.aud"),
    ],
)
def test_a_receipt_that_is_none_for_this_gift(receipt: str, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        verified(receipt)
    body = caught.value.body
    assert (body.code, body.field) == (ErrorCode.RECEIPT_INVALID, field)
    assert not receipt or receipt not in body.message


@pytest.mark.parametrize("jti", ["", "a b", "x" * 129])
def test_the_ids_of_receipts_have_a_form(jti: str) -> None:
    with pytest.raises(ValueError, match="jti"):
        minted(jti=jti)
