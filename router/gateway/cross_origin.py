"""Web pages of which origins may ask the gateway: CORS, by the list in effect."""

from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PREFLIGHT_AGE_S = 600


class CrossOrigin:
    """`app` as pages of other origins may ask it, by these `methods`; `origins` returns those that
    are allowed now."""

    def __init__(
        self,
        app: ASGIApp,
        origins: Callable[[], Sequence[str]],
        methods: Sequence[str] = ("GET",),
    ) -> None:
        self._app = app
        self._origins = origins
        self._methods = methods
        self._allowed: Sequence[str] | None = None
        self._cors = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        allowed = self._origins()
        if allowed != self._allowed:
            self._allowed, self._cors = allowed, self._allowing(allowed)
        await self._cors(scope, receive, send)

    def _allowing(self, origins: Sequence[str]) -> ASGIApp:
        return CORSMiddleware(
            self._app,
            allow_origins=origins,
            allow_methods=self._methods,
            allow_headers=["Authorization", "Content-Type"],
            max_age=PREFLIGHT_AGE_S,
        )
