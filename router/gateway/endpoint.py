"""One endpoint of the HTTP API: its methods, its body's bound, errors as problems."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import msgspec
import structlog
import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.ids import new_id
from router.gateway import problems
from router.gateway.addresses import address_of
from router.gateway.bodies import MAX_BODY_BYTES
from router.gateway.operation import Operation
from router.gateway.pipeline import Asked, Pipeline
from router.gateway.problems import API_HEADERS, problem

_random_bits = random.SystemRandom().getrandbits

BODY_TIMEOUT_S = 10.0
"""For the whole body: one that trickles holds its place no longer."""

_FAILED = ErrorBody(
    ErrorCode.UNAVAILABLE, "The gateway failed, and its log says how under this trace."
)

log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """An ASGI application for one path, with the handler of each of its methods.

    Each request gets a trace, which `trace_of` tells its handler. Errors leave as problems (RFC
    9457, `router.gateway.problems`) with the status that the catalogue gives their code, and are
    counted by it in `errors`; another method is answered 405, what nobody foresaw 500.
    """

    def __init__(self, handlers: Mapping[str, Handler], errors: Counter[str]) -> None:
        self._handlers = handlers
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        request.state.trace = new_id(_random_bits)
        response = await self._answer(request)
        response.headers.setdefault("X-Trace-Id", trace_of(request))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        handler = self._handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            self._errors[ErrorCode.UNKNOWN_OP.value] += 1
            return wrong_method(request, sorted(self._handlers))
        try:
            return await handler(request)
        except RequestError as error:
            self._errors[error.body.code.value] += 1
            return problems.response(problem(error.body, trace_of(request)))
        except Exception:
            log.exception("request_failed", trace=trace_of(request), method=request.method)
            self._errors[ErrorCode.UNAVAILABLE.value] += 1
            return problems.response(problem(_FAILED, trace_of(request), status=500))


def operation_handler(operation: Operation, pipeline: Pipeline) -> Handler:
    """Return the handler that answers requests with `operation`."""

    async def handle(request: Request) -> Response:
        asked = Asked(
            path=request.path_params,
            query=request.query_params,
            authorization=request.headers.get("authorization", ""),
            idempotency_key=request.headers.get("idempotency-key", ""),
            trace=trace_of(request),
            read_body=partial(read_body, request),
            address=address_of(request),
        )
        return answer_raw(await pipeline.answer(operation, asked))

    return handle


def trace_of(request: Request) -> str:
    """Return the trace of a request that an `Endpoint` answers."""
    return str(request.state.trace)


def answer(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` as a JSON response."""
    return answer_raw(msgspec.json.encode(value), headers)


def answer_raw(body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """Return `body`, which is JSON, as a response."""
    return Response(body, 200, {**API_HEADERS, **(headers or {})}, "application/json")


def wrong_method(request: Request, allowed: Sequence[str]) -> Response:
    """Return 405 for a method that the path does not have."""
    message = f"{request.method} is not allowed here; use {' or '.join(allowed)}."
    body = ErrorBody(ErrorCode.UNKNOWN_OP, message, field="method")
    found = problem(body, trace_of(request), status=405)
    return problems.response(found, {"Allow": ", ".join(allowed)})


class NotFound:
    """An ASGI application that answers 404, for every method of a path that does not exist."""

    def __init__(self, errors: Counter[str]) -> None:
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self._errors[ErrorCode.UNKNOWN_OP.value] += 1
        body = ErrorBody(ErrorCode.UNKNOWN_OP, "No such path.", field="path")
        found = problem(body, new_id(_random_bits), status=404)
        await problems.response(found)(scope, receive, send)


async def read_body(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the request's body.

    Raises `RequestError` `too_large` beyond `most_bytes`, before the rest is read, and `timeout`
    when it takes longer than `BODY_TIMEOUT_S`.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    with trio.move_on_after(BODY_TIMEOUT_S):
        return await _read(request, most_bytes)
    raise RequestError(ErrorCode.TIMEOUT, f"The body took longer than {BODY_TIMEOUT_S:.0f} s.")


async def _read(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise _too_large(most_bytes)
    except ClientDisconnect:
        raise RequestError(ErrorCode.BAD_JSON, "The body ended too early.") from None
    return bytes(body)


def _too_large(most_bytes: int) -> RequestError:
    return RequestError(ErrorCode.TOO_LARGE, f"A body has at most {most_bytes} bytes.")
