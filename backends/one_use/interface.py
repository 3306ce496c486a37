"""Remembers what has been used, cluster-wide in a region."""

from typing import Protocol


class OneUse(Protocol):
    """Ids that may be used once."""

    async def use(self, token_id: str, ttl_s: float) -> bool:
        """Use `token_id`; false where it was used within `ttl_s` before.

        Raises `StoreUnavailableError`.
        """
