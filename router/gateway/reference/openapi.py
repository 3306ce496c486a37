"""The OpenAPI 3.1 document of the operations. Pure.

Schemas are made by msgspec from the same Structs that check the requests.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proto.errors import CATALOGUE, ErrorCode
from router.gateway.operation import Access, Operation
from router.gateway.paths import PARAMETERS
from router.gateway.problems import MEDIA_TYPE, Problem
from router.gateway.scopes import MEANINGS, Scope

VERSION = "3.1.0"
REF = "#/components/schemas/{name}"
DESCRIPTION = (
    "What back ends ask a relaymesh cluster. Errors are problems (RFC 9457); their `code` says what"
    " happened. The guide is docs/http-api.md."
)
USUAL_ERRORS = (ErrorCode.BAD_FRAME, ErrorCode.TIMEOUT)
TOKEN_ERRORS = (
    ErrorCode.TOKEN_INVALID,
    ErrorCode.TOKEN_EXPIRED,
    ErrorCode.TOKEN_REVOKED,
    ErrorCode.RATE_LIMITED,
)
SCOPE_ERRORS = (ErrorCode.FORBIDDEN,)
BODY_ERRORS = (ErrorCode.BAD_JSON, ErrorCode.TOO_LARGE)
CHANGE_ERRORS = (ErrorCode.CONFLICT,)
WAIT_ERRORS = (ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.HOME_UNREACHABLE)

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
Json = dict[str, Any]


def openapi(operations: Sequence[Operation], version: str) -> Json:
    """Return the document; `version` is the software's."""
    schemas, components = _schemas(operations)
    paths: dict[str, Json] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": VERSION,
        "info": {"title": "relaymesh", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security_schemes()},
    }


def errors_of(operation: Operation) -> list[ErrorCode]:
    """Return the codes that the operation may be answered with, in the catalogue's order."""
    found = {*USUAL_ERRORS, *operation.errors}
    if operation.needs is not Access.ANYBODY:
        found |= {*TOKEN_ERRORS}
    if isinstance(operation.needs, Scope) or operation.needs in (Access.BACK_END, Access.USER):
        found |= {*SCOPE_ERRORS}
    if operation.has_body:
        found |= {*BODY_ERRORS}
    if operation.changes:
        found |= {*CHANGE_ERRORS}
    if operation.waits:
        found |= {*WAIT_ERRORS}
    return [code for code in ErrorCode if code in found]


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Json], Json]:
    types: list[Any] = [Problem]
    for each in operations:
        types += [kind for kind in (each.takes, each.gives) if kind and kind not in types]
    found, components = msgspec.json.schema_components(types, ref_template=REF)
    return dict(zip(types, found, strict=True)), components


def _operation(operation: Operation, schemas: dict[Any, Json]) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {
            "200": {
                "description": "Done.",
                "headers": {"X-Trace-Id": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": schemas[operation.gives]}},
            },
            **_problems(operation, schemas),
        },
    }
    if operation.has_body:
        content = {"application/json": {"schema": schemas[operation.takes]}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.needs is Access.ANYBODY:
        described["security"] = []
    elif isinstance(operation.needs, Scope):
        described["security"] = [{"apiKey": [operation.needs.value]}, {"token": []}]
        described["description"] = f"Needs the scope `{operation.needs}`."
    elif operation.needs is Access.USER:
        described["security"] = [{"token": []}]
    else:
        described["security"] = [{"apiKey": []}, {"token": []}]
    return described


def _parameters(operation: Operation) -> Iterable[Json]:
    for name in _PATH_PARAMETER.findall(operation.path):
        parameter = PARAMETERS[name]
        schema = {"type": "string", "pattern": parameter.pattern.replace(r"\Z", "$")}
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": parameter.advice,
            "schema": schema,
        }
    if operation.takes is not None and not operation.has_body:
        yield from _query(operation.takes)
    if operation.changes:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Of one's own choice: the same again gets the first answer, for a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }


def _query(kind: type[msgspec.Struct]) -> Iterable[Json]:
    for field in msgspec.structs.fields(kind):
        yield {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": msgspec.json.schema(field.type),
        }


def _problems(operation: Operation, schemas: dict[Any, Json]) -> Json:
    by_status: dict[int, list[ErrorCode]] = {}
    for code in errors_of(operation):
        by_status.setdefault(CATALOGUE[code].http_status, []).append(code)
    content = {MEDIA_TYPE: {"schema": schemas[Problem]}}
    return {
        str(status): {"description": _lines(codes), "content": content}
        for status, codes in sorted(by_status.items())
    }


def _lines(codes: Iterable[ErrorCode]) -> str:
    return "\n".join(f"- `{code}`: {CATALOGUE[code].meaning}" for code in codes)


def _security_schemes() -> Json:
    scopes = "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in MEANINGS.items())
    return {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "rmk_ID_SECRET",
            "description": f"An API key, made by `relaymesh api-key new`. Its scopes:\n{scopes}",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token; one of role `server` has all scopes.",
        },
    }
