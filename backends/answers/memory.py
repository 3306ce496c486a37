"""First answers within one process, for tests; never forgotten."""


class MemoryAnswers:
    """Implements `Answers`."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], bytes] = {}

    async def recall(self, sender: str, mid: str) -> bytes | None:
        """See `Answers`."""
        return self._answers.get((sender, mid))

    async def remember(self, sender: str, mid: str, answer: bytes) -> None:
        """See `Answers`."""
        self._answers.setdefault((sender, mid), answer)
