"""What was revoked in a region: written by logic, followed by whoever verifies tokens."""

from collections.abc import Sequence
from typing import Protocol

from proto.auth_services import Changes, Revocation

PAGE = 1000
"""Revocations in one answer: some 100 kB."""


class Revocations(Protocol):
    """Revocations by their subject, each with the version at which it was written last.

    Versions grow, also over a loss of all data. What is over (`until_ms`) is forgotten. Methods
    raise `StoreUnavailableError`.
    """

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """Keep them. What is known of the same subject is only ever extended; repeating a
        revocation changes nothing, not even its version."""

    async def since(self, version: int) -> Changes:
        """Return what was written after `version`, the oldest first, at most `PAGE`; 0 begins."""
