"""Each method to its handler; what goes wrong becomes an error of the catalogue."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
import trio

from backends.bus.interface import BusUnavailableError
from backends.errors import StoreOverloadedError, StoreUnavailableError
from logic.latency import Latency
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.services import Method

Handle = Callable[[RequestHeader, bytes], Awaitable[bytes]]

RETRY_AFTER_MS = 1000
"""After which a store or a bus that is away may be back."""
OVERLOADED_RETRY_MS = 500
log = structlog.get_logger()


class Dispatch:
    """Answers requests: the `Serve` of the mesh."""

    def __init__(self, handlers: Mapping[Method, Handle]) -> None:
        self._handlers = dict(handlers)
        self.latency = {method.value: Latency() for method in handlers}
        self.errors = dict.fromkeys(ErrorCode, 0)

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the answer's body; raises `RequestError` and nothing else that is foreseen."""
        began = trio.current_time()
        try:
            return await self._answer(header, body)
        except RequestError as error:
            self.errors[error.body.code] += 1
            log.debug("request_refused", trace=header.trace, method=header.method, code=str(error))
            raise
        finally:
            if header.method in self.latency:
                self.latency[header.method].observe(trio.current_time() - began)

    async def _answer(self, header: RequestHeader, body: bytes) -> bytes:
        try:
            handle = self._handlers[Method(header.method)]
        except (ValueError, KeyError):
            raise RequestError(
                ErrorCode.BAD_FRAME, f"method: {header.method!r} is none of logic", field="method"
            ) from None
        try:
            return await handle(header, body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RequestError(ErrorCode.BAD_FRAME, f"body: {error}", field="body") from None
        except StoreOverloadedError:
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=OVERLOADED_RETRY_MS) from None
        except (StoreUnavailableError, BusUnavailableError) as error:
            # Counted here; the store's and the bus's clients warn once for all.
            log.debug(
                "request_unavailable", trace=header.trace, method=header.method, reason=str(error)
            )
            raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS) from None
