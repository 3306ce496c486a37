"""Gifts that are paid for: the receipt of each is verified here, and used once by the room log."""

from collections.abc import Callable

from backends.room_log.interface import Payment
from proto.client_requests import Gift, Publish
from proto.receipts import verify_receipt
from proto.token_keys import Keyring

SKEW_S = 60
"""By how much the clocks of two instances may differ: for so long after its end a receipt that was
used is remembered."""


class Gifts:
    """Verifies receipts; `urgent_value` is what a gift must be worth to be urgent."""

    def __init__(
        self, keyring: Keyring, urgent_value: Callable[[], int], now_ms: Callable[[], int]
    ) -> None:
        self._keyring = keyring
        self._now_ms = now_ms
        self.urgent_value = urgent_value

    def payment(self, message: Publish, uid: str) -> Payment | None:
        """Return how the gift that `message` is was paid for by `uid`, `None` for no gift.

        Raises `RequestError` `receipt_invalid`.
        """
        if not isinstance(message, Gift):
            return None
        now_ms = self._now_ms()
        receipt = verify_receipt(message, uid, self._keyring, now_ms / 1000)
        return Payment(receipt.jti, (receipt.exp + SKEW_S) * 1000 - now_ms)
