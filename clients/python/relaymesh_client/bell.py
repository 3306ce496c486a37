"""A sign to a task that there is something to do."""

import trio


class Bell:
    """An event that may be rung before anybody listens, and again and again."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until the bell was rung since the last wait."""
        await self._event.wait()
        self._event = trio.Event()
