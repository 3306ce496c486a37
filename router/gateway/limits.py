"""How often each API key may call."""

from collections.abc import Callable

import structlog

from backends.errors import StoreUnavailableError
from backends.rate_limit.interface import Rate, RateLimit
from proto.errors import ErrorCode, RequestError
from router.gateway.callers import Caller

LimitOf = Callable[[Rate], RateLimit]
"""Makes the limit for a rate, cluster-wide in a region."""

log = structlog.get_logger()


class CallLimits:
    """One limit for each rate, in which each caller has a place of its own."""

    def __init__(self, limit_of: LimitOf) -> None:
        self._limit_of = limit_of
        self._limits: dict[Rate, RateLimit] = {}
        self._away = False

    async def take(self, caller: Caller) -> None:
        """Let one call of `caller` pass; raises `RequestError` `rate_limited`.

        With the store away it passes: what is then asked of the cluster is refused by itself.
        """
        if caller.rate is None:
            return
        limit = self._limits.get(caller.rate)
        if limit is None:
            limit = self._limits[caller.rate] = self._limit_of(caller.rate)
        try:
            wait_ms = await limit.take(caller.id)
        except StoreUnavailableError as error:
            if not self._away:
                log.warning("call_limit_unknown", caller=caller.id, error=str(error))
            self._away = True
            return
        self._away = False
        if wait_ms:
            message = f"{caller.id} may call {caller.rate.per_s:g} times a second."
            raise RequestError(ErrorCode.RATE_LIMITED, message, retry_after_ms=wait_ms)
