"""What was used, within one process, for tests."""

from collections.abc import Callable


class MemoryOneUse:
    """Implements `OneUse` on a clock in seconds, such as `trio.current_time`."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._used_until: dict[str, float] = {}

    async def use(self, token_id: str, ttl_s: float) -> bool:
        """See `OneUse`."""
        now_s = self._now_s()
        self._used_until = {key: until for key, until in self._used_until.items() if until > now_s}
        if token_id in self._used_until:
            return False
        self._used_until[token_id] = now_s + ttl_s
        return True
