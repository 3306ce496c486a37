"""Calls under an idempotency key: the first is done, who repeats it gets the first answer.

After draft-ietf-httpapi-idempotency-key-header: a key belongs to one caller and one request.
"""

from enum import StrEnum
from typing import NamedTuple, Protocol

HOLD_S = 60.0
"""For how long a call that does not end holds its key: longer than any call takes."""

KEEP_S = 24 * 3600.0
"""For how long a first answer is kept."""


class Standing(StrEnum):
    """What `begin` finds under a key."""

    NEW = "new"
    """Nothing: the call is to be done, and `finish` or `abandon` to follow."""
    BUSY = "busy"
    """The same request, which is being done."""
    DONE = "done"
    """The same request, with its answer."""
    OTHER = "other"
    """Another request."""


class Begun(NamedTuple):
    """How a key stands, with the first answer where there is one."""

    standing: Standing
    answer: bytes = b""


class Idempotency(Protocol):
    """Keys by caller. Each method raises `StoreUnavailableError`."""

    async def begin(self, caller: str, key: str, request: str, use: str) -> Begun:
        """Take `key` for `request` (its digest); `use` names this attempt, and is unique."""

    async def finish(self, caller: str, key: str, use: str, answer: bytes) -> None:
        """Keep the answer of a call that `use` began."""

    async def abandon(self, caller: str, key: str, use: str) -> None:
        """Give the key back: the call may be sent again and is done then."""
