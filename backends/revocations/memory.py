"""Revocations within one process, for tests."""

from collections.abc import Callable, Sequence

from backends.revocations.interface import PAGE
from proto.auth_services import Changes, Revocation


class MemoryRevocations:
    """Implements `Revocations`."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._version = 0
        self._kept: dict[str, tuple[int, Revocation]] = {}

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """See `Revocations`."""
        self._purge()
        for revocation in revocations:
            self._keep(revocation)

    async def since(self, version: int) -> Changes:
        """See `Revocations`."""
        self._purge()
        later = sorted(
            (each for each in self._kept.values() if each[0] > version), key=lambda each: each[0]
        )
        page = later[:PAGE]
        last = page[-1][0] if page else version
        return Changes(last, [revocation for _, revocation in page], len(later) > PAGE)

    def _keep(self, new: Revocation) -> None:
        _, old = self._kept.get(new.subject, (0, new))
        before_ms = max(old.before_ms, new.before_ms)
        until_ms = max(old.until_ms, new.until_ms)
        merged = Revocation(new.uid or old.uid, new.sid, before_ms, until_ms)
        if new.subject in self._kept and merged == old:
            return
        if until_ms > self._now_ms():
            self._version += 1
            self._kept[new.subject] = (self._version, merged)

    def _purge(self) -> None:
        now_ms = self._now_ms()
        self._kept = {s: kept for s, kept in self._kept.items() if kept[1].until_ms > now_ms}
