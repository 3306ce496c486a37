"""Revocations in Redis: one slot, since they are few and read together."""

from collections.abc import Callable, Iterator, Sequence

from backends.redis.client import RedisClient
from backends.redis.connection import Reply
from backends.redis.scripts import Argument, script
from backends.revocations.interface import PAGE
from proto.auth_services import Changes, Revocation

_REVOKE = script("revoke")
_SINCE = script("revocations")

_ENTRIES = "rm:{revocations}:entries"
_INDEX = "rm:{revocations}:index"
_UNTIL = "rm:{revocations}:until"
_VERSION = "rm:{revocations}:version"
_AT_ONCE = 500
"""Revocations that one script writes."""


class RedisRevocations:
    """Implements `Revocations`."""

    def __init__(self, redis: RedisClient, *, now_ms: Callable[[], int]) -> None:
        self._redis = redis
        self._now_ms = now_ms

    async def revoke(self, revocations: Sequence[Revocation]) -> None:
        """See `Revocations`."""
        keys = [_ENTRIES, _INDEX, _UNTIL, _VERSION]
        for start in range(0, len(revocations), _AT_ONCE):
            arguments = _arguments(revocations[start : start + _AT_ONCE])
            command = _REVOKE.command(keys, self._now_ms(), *arguments)
            await self._redis.call(_ENTRIES, command)

    async def since(self, version: int) -> Changes:
        """See `Revocations`."""
        command = _SINCE.command([_ENTRIES, _INDEX], version, PAGE + 1)
        found = list(_read(await self._redis.call(_ENTRIES, command)))
        page, now_ms = found[:PAGE], self._now_ms()
        last = page[-1][0] if page else version
        living = [revocation for _, revocation in page if revocation.until_ms > now_ms]
        return Changes(last, living, len(found) > PAGE)


def _arguments(revocations: Sequence[Revocation]) -> Iterator[Argument]:
    for each in revocations:
        yield from (each.subject, each.before_ms, each.until_ms, each.uid)


def _read(reply: Reply) -> Iterator[tuple[int, Revocation]]:
    for version, subject, entry in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
        before_ms, until_ms, uid = entry.decode().split(" ", 2)
        sid = subject.decode().removeprefix("sid:") if subject.startswith(b"sid:") else ""
        yield int(version), Revocation(uid, sid, int(before_ms), int(until_ms))
