"""Receipts of gifts, as a platform's back end would sign them."""

import itertools
from typing import Any

from proto.receipt_settings import ReceiptSettings
from proto.receipts import Receipt, mint_receipt
from proto.token_keys import hs256

SECRET = "a secret of receipts, of more than thirty-two bytes"
SETTINGS = ReceiptSettings(secret=SECRET)
_numbers = itertools.count()


def receipt_for(now_s: float, uid: str = "ann", room: str = "a", **gift: Any) -> str:
    """Return a receipt that `uid` has paid for `gift` in `room`, valid for ten minutes from
    `now_s` (Unix seconds)."""
    claims = {
        "jti": f"order-{next(_numbers)}",
        "sub": uid,
        "room": room,
        "gift": "rose",
        "value": 1,
        "exp": int(now_s) + 600,
    }
    return mint_receipt(Receipt(**claims | gift), hs256(SECRET))
