"""Web pages of which origins may ask the gateway: CORS, by a list that may change."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PREFLIGHT_AGE_S = 600


class CrossOrigin:
    """Answers for each application that is wrapped by the origins that are allowed now."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = origins
        self._wrapped: list[_Wrapped] = []

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return `app` as pages of other origins may ask it."""
        wrapped = _Wrapped(app, self._origins)
        self._wrapped.append(wrapped)
        return wrapped

    def allow(self, origins: Sequence[str]) -> None:
        """Allow `origins` and no others from now on."""
        self._origins = origins
        for each in self._wrapped:
            each.allow(origins)


class _Wrapped:
    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self.allow(origins)

    def allow(self, origins: Sequence[str]) -> None:
        self._cors = CORSMiddleware(
            self._app,
            allow_origins=origins,
            allow_methods=["GET"],
            allow_headers=["Authorization"],
            max_age=PREFLIGHT_AGE_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._cors(scope, receive, send)
