"""What the demo gives to anybody: tokens, and receipts of gifts, for which others take money."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from proto.client_requests import MAX_GIFT_VALUE, MAX_LIKES_PER_FRAME
from proto.ids import MESSAGE_ID_PATTERN, RandomBits, new_id
from proto.receipts import Receipt, mint_receipt
from proto.token_keys import Keyring, hs256
from proto.tokens import Claims, sign
from router.gateway.bodies import DemoToken, DemoUid, Room
from router.gateway.operation import Access, Call, Operation

TOKEN_S = 12 * 3600
RECEIPT_S = 600


class DemoVisitor(msgspec.Struct, frozen=True):
    """Who the visitor is now."""

    token: str
    uid: str


class DemoGift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The gift that a visitor of the demo wants to give."""

    uid: DemoUid
    room: Room
    gift: Annotated[str, msgspec.Meta(pattern=MESSAGE_ID_PATTERN)]
    value: Annotated[int, msgspec.Meta(ge=0, le=MAX_GIFT_VALUE)]
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIKES_PER_FRAME)] = 1


class DemoReceipt(msgspec.Struct, frozen=True):
    """The receipt to give it with."""

    receipt: str


class DemoOperations:
    """Only where the demo is switched on; receipts only with a `receipt_secret`, which must be
    logic's. Raises `ValueError` for one that is too short."""

    def __init__(
        self,
        own: Keyring,
        receipt_secret: str,
        now_s: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self._own = own
        self._receipts = hs256(receipt_secret) if receipt_secret else None
        self._now_s = now_s
        self._random_bits = random_bits

    def operations(self) -> list[Operation]:
        """Return what the demo's page asks."""
        found = [
            Operation(
                name="getDemoToken",
                method="POST",
                path="/v1/demo/token",
                summary="Mint a token of 12 hours for a visitor of the demo.",
                handle=self.token,
                takes=DemoToken,
                gives=DemoVisitor,
                needs=Access.ANYBODY,
                waits=False,
            )
        ]
        return [*found, self._receipt_operation()] if self._receipts else found

    async def token(self, _: Call, body: DemoToken) -> DemoVisitor:
        """Return a token for a visitor of the demo page."""
        now_s = int(self._now_s())
        uid = body.uid or f"demo-{new_id(self._random_bits)}"
        hosted = (body.room,) if body.host else ()
        claims = Claims(uid, now_s + TOKEN_S, iat=now_s, name=body.name, host=hosted)
        return DemoVisitor(sign(claims, self._own.keys[0]), uid)

    async def receipt(self, _: Call, body: DemoGift) -> DemoReceipt:
        """Return a receipt that is good for ten minutes."""
        assert self._receipts is not None
        receipt = Receipt(
            jti=f"demo-{new_id(self._random_bits, 128)}",
            sub=body.uid,
            room=body.room,
            gift=body.gift,
            value=body.value,
            count=body.count,
            exp=int(self._now_s()) + RECEIPT_S,
        )
        return DemoReceipt(mint_receipt(receipt, self._receipts))

    def _receipt_operation(self) -> Operation:
        return Operation(
            name="getDemoReceipt",
            method="POST",
            path="/v1/demo/receipt",
            summary="Mint the receipt of a gift, which costs nothing in the demo.",
            handle=self.receipt,
            takes=DemoGift,
            gives=DemoReceipt,
            needs=Access.ANYBODY,
            waits=False,
        )
