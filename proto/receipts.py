"""Receipts: the platform's back end has signed that a gift was paid for. JWS (RFC 7515) of the
claims below; each is good for one gift."""

import re

import jwt
import msgspec

from proto.client_requests import Gift
from proto.errors import ErrorCode, RequestError
from proto.token_keys import Key, Keyring
from proto.tokens import sign_payload, verify_payload

AUDIENCE = "relaymesh-gift"

JTI_PATTERN = r"^[A-Za-z0-9_.:\-]{1,128}\Z"
"""What the id of a receipt looks like: an order's number, a UUID."""

MAX_LIFE_S = 24 * 3600
"""How far ahead `exp` may lie: used receipts are remembered until then."""

_JTI = re.compile(JTI_PATTERN)


class Receipt(msgspec.Struct, frozen=True):
    """What a receipt says: `sub` has paid for `count` of `gift`, each worth `value`, in `room`.
    `jti` is its own id, `exp` are Unix seconds."""

    jti: str
    sub: str
    room: str
    gift: str
    value: int
    exp: int
    count: int = 1
    aud: str = AUDIENCE


def mint_receipt(receipt: Receipt, key: Key) -> str:
    """Return the signed receipt; raises `ValueError` for a key that only verifies, and for an id
    that can be none."""
    if not _JTI.match(receipt.jti):
        raise ValueError(f"jti {receipt.jti!r} must match {JTI_PATTERN}")
    return sign_payload(msgspec.json.encode(receipt), key)


def verify_receipt(gift: Gift, uid: str, keyring: Keyring, now_s: float) -> Receipt:
    """Return the receipt of the `gift` that `uid` gives at Unix time `now_s`.

    Raises `RequestError` `receipt_invalid`; its field is `receipt`, or the claim that does not fit
    (`receipt.value`).
    """
    if not gift.receipt:
        raise _invalid("receipt", "a gift needs one")
    try:
        receipt = _decode(verify_payload(gift.receipt, keyring))
    except (jwt.InvalidTokenError, msgspec.MsgspecError, ValueError) as error:
        raise _invalid("receipt", str(error)) from None
    _check_itself(receipt, now_s)
    given = {"sub": uid, "room": gift.room, "gift": gift.gift}
    for claim, value in (given | {"value": gift.value, "count": gift.count}).items():
        if getattr(receipt, claim) != value:
            raise _invalid(f"receipt.{claim}", "is that of another gift")
    return receipt


def _check_itself(receipt: Receipt, now_s: float) -> None:
    if receipt.aud != AUDIENCE:
        raise _invalid("receipt.aud", f"must be {AUDIENCE}")
    if not _JTI.match(receipt.jti):
        raise _invalid("receipt.jti", f"must match {JTI_PATTERN}")
    if receipt.exp <= now_s:
        raise _invalid("receipt.exp", "it has expired")
    if receipt.exp > now_s + MAX_LIFE_S:
        raise _invalid("receipt.exp", f"must be within {MAX_LIFE_S} s from now")


def _invalid(field: str, why: str) -> RequestError:
    return RequestError(ErrorCode.RECEIPT_INVALID, f"{field}: {why}", field=field)


_decode = msgspec.json.Decoder(Receipt).decode
