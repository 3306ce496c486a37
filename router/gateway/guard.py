"""Before all paths of the gateway: whose request it is, and whether it may be made now."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backends.addresses import Proxies, network_of
from backends.rate_limit.local import LocalRates
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.ids import new_id
from router.gateway.counters import GatewayCounters
from router.gateway.problems import problem, response
from router.gateway.settings import GatewaySettings

FULL_RETRY_MS = 1000
UNAUTHORISED = 401
_random_bits = random.SystemRandom().getrandbits


class Guard:
    """Limits the requests of each address, and of all together that are at work.

    What is behind it finds the client's address in the scope, whatever proxies there are.
    """

    def __init__(self, settings: GatewaySettings, counters: GatewayCounters) -> None:
        self.at_work = 0
        self._at_work_of: Counter[str] = Counter()
        """Of those addresses that have requests at work."""
        self._counters = counters
        self._requests = LocalRates(settings.address.requests_rate())
        self._failures = LocalRates(settings.address.failures_rate())
        self.reconfigured(settings)

    def reconfigured(self, settings: GatewaySettings) -> None:
        """Have other limits from now on; what was used of them stays used."""
        self.most = settings.max_requests
        self._most_of_address = settings.address.max_requests
        self._proxies = Proxies(settings.address.trusted_proxies)
        self._requests.rate = settings.address.requests_rate()
        self._failures.rate = settings.address.failures_rate()

    def before(self, routes: Sequence[BaseRoute]) -> list[BaseRoute]:
        """Return `routes` with the guard before them."""
        return [_Everything(routes, Guarded(self, Router(routes)))]

    def host_of(self, scope: Scope) -> str:
        """Return the host of whoever sends the request."""
        peer = scope["client"][0] if scope.get("client") else ""
        return self._proxies.client_of(peer, Headers(scope=scope).getlist("x-forwarded-for"))

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Hold one place for a request of `host`; raises `rate_limited` or `overloaded`."""
        key = network_of(host)
        if not self._proxies.trusts(host):
            self._admit(key, trio.current_time())
        if self.at_work >= self.most:
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=FULL_RETRY_MS)
        self.at_work += 1
        self._at_work_of[key] += 1
        try:
            yield
        finally:
            self.at_work -= 1
            self._at_work_of[key] -= 1
            if not self._at_work_of[key]:
                del self._at_work_of[key]

    def failed(self, host: str) -> None:
        """Count a request of `host` that was not authorised."""
        if not self._proxies.trusts(host):
            self._failures.take(network_of(host), trio.current_time())

    def refused(self, error: ErrorBody) -> None:
        """Count a request that was sent away."""
        self._counters.errors[error.code.value] += 1
        self._counters.turned_away += 1

    def _admit(self, key: str, now: float) -> None:
        wait_s = self._failures.wait_s(key, now) or self._requests.take(key, now)
        if wait_s:
            raise _too_much(max(1, round(wait_s * 1000)))
        if self._at_work_of[key] >= self._most_of_address:
            raise _too_much(FULL_RETRY_MS)


def _too_much(retry_after_ms: int) -> RequestError:
    message = "Too much comes from this address."
    return RequestError(ErrorCode.RATE_LIMITED, message, retry_after_ms=retry_after_ms)


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, guard: Guard, app: ASGIApp) -> None:
        self._guard = guard
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or send it away."""
        host = self._guard.host_of(scope)
        # Set here, so that nothing behind it looks at the proxy's.
        scope["client"] = (host, 0)
        try:
            with self._guard.place(host):
                await self._app(scope, receive, self._watched(host, send))
        except RequestError as error:
            self._guard.refused(error.body)
            refusal = problem(error.body, new_id(_random_bits))
            await response(refusal)(scope, receive, send)

    def _watched(self, host: str, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == UNAUTHORISED:
                self._guard.failed(host)
            await send(message)

        return watched


class _Everything(BaseRoute):
    """The route of all paths. A `Mount` is not: it has none with a line feed in it."""

    def __init__(self, routes: Sequence[BaseRoute], app: ASGIApp) -> None:
        self.routes = routes
        """Those that lie behind it."""
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:  # noqa: ARG002
        """See `BaseRoute`."""
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `BaseRoute`."""
        await self._app(scope, receive, send)
