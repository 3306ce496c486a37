"""The OpenAPI document and its page, against what the gateway really does."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from proto.errors import CATALOGUE, ErrorCode
from router.gateway.operation import Access, Operation
from router.gateway.reference.openapi import errors_of
from router.gateway.scopes import MEANINGS, Scope
from tests.router.gateway_parts import LEASES, Gateway, gateway, problem, token

OUTSIDE = {"/v1/openapi.json", "/docs", "/docs/style.css", "/v1/{rest:path}"}
"""Routes that are no operations: the reference itself, and what answers 404."""
NAMES = {"room": "lobby", "uid": "ann", "node": "relay-1", "group": "g:1", "sid": "u-1.5f"}


async def document(it: Gateway) -> dict[str, Any]:
    answer = await it.client.get("/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()  # type: ignore[no-any-return]


def operations(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }


async def test_the_document_is_one_of_openapi_3_1() -> None:
    async with gateway(*LEASES, demo=True) as it:
        found = await document(it)
        assert found["openapi"].startswith("3.1.")
        assert list(OpenAPIV31SpecValidator(found).iter_errors()) == []


async def test_every_route_is_in_the_document_and_every_path_in_it_exists() -> None:
    async with gateway(*LEASES, demo=True) as it:
        found = operations(await document(it))
        (guarded,) = it.gateway.routes
        behind = guarded.routes  # type: ignore[attr-defined]
        paths = {route.path for route in behind if isinstance(route, Route)}
        assert paths - OUTSIDE == {path for _, path in found}
        for method, path in found:
            real = re.sub(r"\{(\w+)\}", lambda name: NAMES[name[1]], path)
            answer = await it.client.request(method, real, headers=token("server"))
            assert "unknown_op" not in answer.text, (method, path)
        names = [operation["operationId"] for operation in found.values()]
        assert len(names) == len(set(names))


async def test_each_operation_says_who_may_call_it_and_all_that_it_may_answer() -> None:
    async with gateway(*LEASES, demo=True) as it:
        found = operations(await document(it))
        for operation in it.gateway.operations:
            described = found[operation.method, operation.path]
            if isinstance(operation.needs, Scope):
                assert described["security"][0] == {"apiKey": [operation.needs.value]}
            for code in errors_of(operation):
                status = str(CATALOGUE[code].http_status)
                assert f"`{code}`" in described["responses"][status]["description"]
        scheme = (await document(it))["components"]["securitySchemes"]["apiKey"]
        assert all(f"`{scope}`" in scheme["description"] for scope in MEANINGS)
        assert set(MEANINGS) == set(Scope)


async def test_the_guide_names_every_operation_and_its_scope() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", guide, re.MULTILINE)
    told = {call: scope for calls, scope in rows for call in re.findall(r"`(\S+ /\S+)`", calls)}
    async with gateway(*LEASES, demo=True, demo_receipt_secret="r" * 32) as it:
        for operation in it.gateway.operations:
            if operation.path.startswith("/v1/auth/"):
                continue
            scope = told.pop(f"{operation.method} {operation.path}")
            if isinstance(operation.needs, Scope):
                assert scope == f"`{operation.needs}`", operation.path
    assert told == {}


async def test_a_viewer_is_refused_what_the_document_says_needs_a_scope() -> None:
    async with gateway(*LEASES) as it:
        for operation in it.gateway.operations:
            if not isinstance(operation.needs, Scope):
                continue
            path = re.sub(r"\{(\w+)\}", lambda name: NAMES[name[1]], operation.path)
            answer = await it.client.request(operation.method, path, headers=token())
            assert problem(answer) == (403, "forbidden", "authorization")
            assert operation.needs.value in answer.json()["detail"]


EXPIRED = token("server", exp=1)
WAYS: dict[ErrorCode, Callable[[Operation], dict[str, Any] | None]] = {
    ErrorCode.TOKEN_INVALID: lambda it: {"headers": {}},
    ErrorCode.TOKEN_EXPIRED: lambda it: {"headers": EXPIRED},
    ErrorCode.FORBIDDEN: lambda it: {
        "headers": token(sub="api-key:shop" if it.needs is Access.USER else "ann")
    },
    ErrorCode.BAD_JSON: lambda it: {"content": b"{"},
    ErrorCode.TOO_LARGE: lambda it: {"content": b" " * (it.most_bytes + 1)},
    ErrorCode.BAD_FRAME: lambda it: (
        {"content": b'{"nobody knows":1}'} if it.has_body else {"params": {"nobody_knows": "1"}}
    ),
    ErrorCode.OVERLOADED: lambda it: {} if it.takes is None else None,
}
"""How each problem of the gateway's own is brought about, where it can be, at an operation."""


@pytest.mark.parametrize("code", list(WAYS))
async def test_each_documented_problem_is_answered_as_documented(code: ErrorCode) -> None:
    async with gateway(*LEASES, demo=True, open_status=False) as it:
        found = operations(await document(it))
        it.counters.pending = 10**6 if code is ErrorCode.OVERLOADED else 0
        asked = 0
        for operation in it.gateway.operations:
            way = WAYS[code](operation)
            if code not in errors_of(operation) or way is None:
                continue
            if code is ErrorCode.BAD_FRAME and operation.takes is None:
                continue
            path = re.sub(r"\{(\w+)\}", lambda name: NAMES[name[1]], operation.path)
            request = {"headers": token("server")} | way
            answer = await it.client.request(operation.method, path, **request)
            assert problem(answer)[:2] == (CATALOGUE[code].http_status, code.value), path
            described = found[operation.method, operation.path]["responses"]
            assert f"`{code}`" in described[str(answer.status_code)]["description"]
            asked += 1
        assert asked > 2


async def test_a_problem_has_the_fields_that_the_document_gives_it() -> None:
    async with gateway(*LEASES) as it:
        schema = (await document(it))["components"]["schemas"]["Problem"]
        answer: httpx.Response = await it.push("/v1/rooms/lobby/publish", {})
        found = answer.json()
        assert set(found) <= set(schema["properties"])
        assert set(schema["required"]) <= set(found)
        codes = (await document(it))["components"]["schemas"]["ErrorCode"]["enum"]
        assert set(codes) == set(ErrorCode)


async def test_the_page_shows_every_operation_and_runs_no_script() -> None:
    async with gateway(*LEASES, demo=True) as it:
        answer = await it.client.get("/docs")
        assert answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<script" not in answer.text
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
        for operation in it.gateway.operations:
            assert f'id="{operation.name}"' in answer.text
        links = set(re.findall(r'href="#([^"]+)"', answer.text))
        assert all(f'id="{link}"' in answer.text for link in links)
        style = await it.client.get("/docs/style.css")
        assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/docs"])
async def test_the_reference_is_only_read(path: str) -> None:
    async with gateway(*LEASES) as it:
        assert problem(await it.client.post(path)) == (405, "unknown_op", "method")
