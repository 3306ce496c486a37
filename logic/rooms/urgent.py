"""How many urgent messages one user may send, over all instances."""

from backends.rate_limit.interface import RateLimit
from logic.counters import Counters
from proto.errors import ErrorCode, RequestError


class UrgentAllowance:
    """The limit on urgent messages. It fails closed: it lives in the store that has to keep the
    message too, so that nothing could be published without it."""

    def __init__(self, limit: RateLimit, counters: Counters) -> None:
        self._limit = limit
        self._counters = counters

    async def take(self, uid: str) -> None:
        """Take one of `uid`'s; raises `RequestError` `rate_limited` or `StoreUnavailableError`."""
        wait_ms = await self._limit.take(uid)
        if wait_ms:
            self._counters.rate_limited += 1
            raise RequestError(
                ErrorCode.RATE_LIMITED,
                f"too many urgent messages: wait {wait_ms} ms",
                retry_after_ms=wait_ms,
            )
