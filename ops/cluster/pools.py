"""The webhook of a local cluster: routers ask it for dedicated nodes (docs/provisioner.md)."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backends.http.signature import is_signed
from backends.provisioner.webhook import Given, Wanted, signed_content
from ops.cluster.slots import DrainingError, TooManyError
from proto.errors import CATALOGUE, ErrorBody, ErrorCode, RequestError
from proto.ids import is_pool, is_room

MAX_BODY_BYTES = 4096

Provide = Callable[[str, int], None]
Release = Callable[[str], None]


class PoolServer:
    """The HTTP of it: who asks, and whether it makes sense.

    `provide` has at least so many nodes run in a pool and raises `TooManyError` or `DrainingError`;
    `release` lets a pool's nodes go. Both return at once.
    """

    def __init__(
        self, secret: str, now_s: Callable[[], float], provide: Provide, release: Release
    ) -> None:
        self._secret = secret
        self._now_s = now_s
        self._provide = provide
        self._release = release

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/pools/{pool}", _answering(self._put), methods=["PUT"]),
                Route("/pools/{pool}", _answering(self._delete), methods=["DELETE"]),
            ]
        )

    async def _put(self, request: Request) -> Response:
        pool, body = await self._verified(request)
        wanted = _wanted(body)
        try:
            self._provide(pool, wanted.nodes)
        except TooManyError as error:
            raise RequestError(ErrorCode.FULL, str(error), field="nodes") from None
        except DrainingError as error:
            raise RequestError(ErrorCode.UNAVAILABLE, str(error), field="nodes") from None
        return Response(msgspec.json.encode(Given(wanted.nodes)), media_type="application/json")

    async def _delete(self, request: Request) -> Response:
        pool, _ = await self._verified(request)
        self._release(pool)
        return Response(status_code=204)

    async def _verified(self, request: Request) -> tuple[str, bytes]:
        """Return the pool and the body of a request that the cluster has signed."""
        body, pool = await _read(request), request.path_params["pool"]
        content = signed_content(request.method, pool, body)
        if not is_signed(self._secret, request.headers, content, self._now_s()):
            message = "The request is not signed by this cluster, or it is an old one."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="relaymesh-signature")
        if not is_pool(pool):
            message = "Name a pool: 1 to 63 of the characters a-z 0-9 -"
            raise RequestError(ErrorCode.BAD_FRAME, message, field="pool")
        return pool, body


def _wanted(body: bytes) -> Wanted:
    try:
        wanted = msgspec.json.decode(body, type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RequestError(ErrorCode.BAD_FRAME, str(error)) from None
    if not is_room(wanted.room):
        raise RequestError(ErrorCode.BAD_FRAME, "That is no name of a room.", field="room")
    return wanted


async def _read(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            message = f"A body has at most {MAX_BODY_BYTES} bytes."
            raise RequestError(ErrorCode.TOO_LARGE, message)
    return body


def _answering(
    handle: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except RequestError as error:
            return _failure(error.body)

    return answer


def _failure(body: ErrorBody) -> Response:
    content = msgspec.json.encode({"error": body})
    return Response(content, CATALOGUE[body.code].http_status, media_type="application/json")
