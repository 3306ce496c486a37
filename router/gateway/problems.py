"""Errors of the gateway as problems (RFC 9457), `application/problem+json`."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from proto.errors import CATALOGUE, ErrorBody, ErrorCode

MEDIA_TYPE = "application/problem+json"
TYPE_START = "urn:relaymesh:problem:"
TRACE_START = "urn:relaymesh:trace:"

API_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of every answer of the API."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as HTTP has it.

    `type` names the kind of problem, `title` says in one sentence what the kind means, `detail`
    what is wrong with this request, `instance` which request it was (the trace that the logs of all
    nodes follow). `code` is the error's in the catalogue, `field` a path such as `uids[1]`,
    `retry_after_ms` after how many milliseconds the request may be sent again.
    """

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    instance: str = ""
    field: str = ""
    retry_after_ms: int = 0


def problem(body: ErrorBody, trace: str, status: int = 0) -> Problem:
    """Return an error of the catalogue as a problem; without a `status` with the catalogue's."""
    entry = CATALOGUE[body.code]
    return Problem(
        type=f"{TYPE_START}{body.code.value}",
        title=entry.meaning,
        status=status or entry.http_status,
        detail=body.message,
        instance=f"{TRACE_START}{trace}" if trace else "",
        code=body.code,
        field=body.field,
        retry_after_ms=body.retry_after_ms,
    )


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return `problem` as a response."""
    content = msgspec.json.encode(problem)
    sent = {**API_HEADERS, **_headers(problem), **(headers or {})}
    return Response(content, problem.status, sent, MEDIA_TYPE)


def _headers(problem: Problem) -> dict[str, str]:
    headers = {}
    if problem.instance:
        headers["X-Trace-Id"] = problem.instance.removeprefix(TRACE_START)
    if problem.retry_after_ms:
        headers["Retry-After"] = str(-(-problem.retry_after_ms // 1000))
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
