"""Idempotency keys in Redis: a hash for each, which expires."""

from backends.idempotency.interface import HOLD_S, KEEP_S, Begun, Standing
from backends.redis.client import RedisClient
from backends.redis.scripts import script

_BEGIN = script("idempotency_begin")
_FINISH = script("idempotency_finish")
_ABANDON = script("idempotency_abandon")


class RedisIdempotency:
    """Implements `Idempotency`. A command whose answer was lost is sent again: by `use` the same
    attempt is known."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def begin(self, caller: str, key: str, request: str, use: str) -> Begun:
        """See `Idempotency`."""
        command = _BEGIN.command([_name(caller, key)], request, use, round(HOLD_S * 1000))
        standing, answer = await self._redis.call(caller, command)
        return Begun(Standing(standing.decode()), answer)

    async def finish(self, caller: str, key: str, use: str, answer: bytes) -> None:
        """See `Idempotency`."""
        command = _FINISH.command([_name(caller, key)], use, answer, round(KEEP_S * 1000))
        await self._redis.call(caller, command)

    async def abandon(self, caller: str, key: str, use: str) -> None:
        """See `Idempotency`."""
        await self._redis.call(caller, _ABANDON.command([_name(caller, key)], use))


def _name(caller: str, key: str) -> str:
    # The caller's length first, so that no two pairs make the same name.
    return f"rm:idempotency:{len(caller)}:{caller}:{key}"
