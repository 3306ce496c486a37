"""Idempotency keys within one process, for tests."""

from collections.abc import Callable
from dataclasses import dataclass

from backends.idempotency.interface import HOLD_S, KEEP_S, Begun, Standing


@dataclass(slots=True)
class _Kept:
    request: str
    use: str
    until_s: float
    answer: bytes | None = None


class MemoryIdempotency:
    """Implements `Idempotency` on a clock in seconds, such as `trio.current_time`."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def begin(self, caller: str, key: str, request: str, use: str) -> Begun:
        """See `Idempotency`."""
        found = self._kept.get((caller, key))
        if found is None or found.until_s <= self._now_s():
            self._kept[caller, key] = _Kept(request, use, self._now_s() + HOLD_S)
            return Begun(Standing.NEW)
        if found.request != request:
            return Begun(Standing.OTHER)
        if found.answer is not None:
            return Begun(Standing.DONE, found.answer)
        return Begun(Standing.NEW if found.use == use else Standing.BUSY)

    async def finish(self, caller: str, key: str, use: str, answer: bytes) -> None:
        """See `Idempotency`."""
        found = self._kept.get((caller, key))
        if found is not None and found.use == use:
            found.answer, found.until_s = answer, self._now_s() + KEEP_S

    async def abandon(self, caller: str, key: str, use: str) -> None:
        """See `Idempotency`."""
        found = self._kept.get((caller, key))
        if found is not None and found.use == use and found.answer is None:
            del self._kept[caller, key]
