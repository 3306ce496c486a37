"""The console, the demo page and the client library, served as files."""

import os
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE_HEADERS = {
    # The page speaks WebSocket to access nodes, which are other origins.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Revalidated each time: an upgrade of the cluster shows at the next load.
    "Cache-Control": "no-cache",
}

CONSOLE_HEADERS = PAGE_HEADERS | {
    # It speaks to its own gateway and to nobody else.
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace(" ws: wss:", ""),
}

LIBRARY = "relaymesh.js"
MODULES = "relaymesh"
"""What the library is made of."""
DEMO = "demo"


class Files(StaticFiles):
    """Static files with `headers`, which are of pages."""

    def __init__(self, folder: Path, headers: Mapping[str, str] = PAGE_HEADERS) -> None:
        super().__init__(directory=folder, html=True)
        self._headers = headers

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the response for one file."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response


def pages(folder: str) -> list[BaseRoute]:
    """Return the routes for `folder`: `demo/` at `/`, `relaymesh.js` and its modules beside it.

    Raises `OSError` when the folder does not hold them.
    """
    root = Path(folder).resolve()
    for part in (root / LIBRARY, root / MODULES / "client.js", root / DEMO / "index.html"):
        if not part.is_file():
            raise FileNotFoundError(f"router.gateway.pages: {part} is missing")
    library = Files(root)

    async def serve_library(request: Request) -> Response:
        return await library.get_response(LIBRARY, request.scope)

    return [
        Route(f"/{LIBRARY}", serve_library),
        Mount(f"/{MODULES}", Files(root / MODULES)),
        Mount("/", Files(root / DEMO)),
    ]


def console(folder: str) -> list[BaseRoute]:
    """Return the routes for the console in `folder`, at `/console/`.

    Raises `OSError` when the folder does not hold it.
    """
    root = Path(folder).resolve()
    if not (root / "index.html").is_file():
        raise FileNotFoundError(f"router.gateway.console: {root / 'index.html'} is missing")

    async def enter(_: Request) -> Response:
        return RedirectResponse("/console/")

    return [Route("/console", enter), Mount("/console", Files(root, CONSOLE_HEADERS))]
