"""First answers: who asks the same again within the deduplication age gets them."""

from typing import Protocol


class Answers(Protocol):
    """Answers by sender and message id."""

    async def recall(self, sender: str, mid: str) -> bytes | None:
        """Return the first answer, or `None` where there was none; raises
        `StoreUnavailableError`."""

    async def remember(self, sender: str, mid: str, answer: bytes) -> None:
        """Keep `answer`, unless there is one already; raises `StoreUnavailableError`."""
