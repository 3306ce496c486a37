"""Where the reference is served: `/v1/openapi.json`, and `/docs` for people."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import msgspec
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from router.gateway.endpoint import Endpoint, Handler, answer_raw
from router.gateway.operation import Operation
from router.gateway.pages import PAGE_HEADERS
from router.gateway.reference.openapi import openapi
from router.gateway.reference.page import STYLE, page

DOCUMENT_PATH = "/v1/openapi.json"


def reference_routes(operations: Sequence[Operation], errors: Counter[str]) -> list[BaseRoute]:
    """Return the routes of the reference of `operations`; `errors` counts wrong methods."""
    document = openapi(operations, _version())
    content = msgspec.json.format(msgspec.json.encode(document), indent=1)

    async def serve_document(_: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return answer_raw(content, {"Access-Control-Allow-Origin": "*"})

    served: dict[str, Handler] = {
        DOCUMENT_PATH: serve_document,
        "/docs": _served(page(document), "text/html"),
        "/docs/style.css": _served(STYLE, "text/css"),
    }
    return [Route(path, Endpoint({"GET": handler}, errors)) for path, handler in served.items()]


def _served(text: str, media_type: str) -> Handler:
    async def serve(_: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(text, headers=PAGE_HEADERS, media_type=media_type)

    return serve


def _version() -> str:
    try:
        return version("relaymesh")
    except PackageNotFoundError:
        return "0"
