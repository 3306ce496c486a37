"""Attacks on the gateway, as a process serves it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from starlette.applications import Starlette

from ops.health import listen
from ops.http_serving import serve_http
from tests.access.edge.streams import read_all
from tests.router.test_gateway import LEASES, gateway, token

CLIENTS = Path(__file__).parents[2] / "clients" / "js"
HOST = b"Host: gateway.example\r\n"
BEARER = f"Authorization: {token()['Authorization']}\r\n".encode()
CONNECT = b"GET /v1/connect HTTP/1.1\r\n" + HOST + BEARER
HOME = {"X-Forwarded-For": "198.51.100.7"}


class Served:
    """A gateway on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def raw(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def answer_to(self, data: bytes) -> bytes:
        """All that is answered to bytes, to the end of the connection."""
        async with await self.raw() as stream:
            await stream.send_all(data)
            return await read_all(stream)

    async def status_of(self, data: bytes) -> int:
        answer = await self.answer_to(data + b"Connection: close\r\n\r\n")
        return int(answer.split(b" ", 2)[1])


@asynccontextmanager
async def served(most: int = 1000, **settings: Any) -> AsyncIterator[Served]:
    """A gateway, which must serve a neighbour as ever at the end."""
    listener, stopping = listen("127.0.0.1:0"), trio.Event()
    port = listener.getsockname()[1]
    async with gateway(*LEASES, **settings) as it, trio.open_nursery() as nursery:
        app = Starlette(routes=it.gateway.routes)

        async def serve(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
            await serve_http(app, listener, stopping=stopping, most=most, task_status=task_status)

        await nursery.start(serve)
        it = Served(port)
        yield it
        assert await it.status_of(CONNECT) == 200, "the neighbour"
        stopping.set()


# -- what is read


@pytest.mark.parametrize(
    "path",
    [
        "/../proto/errors.py",
        "/demo/../../../proto/errors.py",
        "/relaymesh/../../../proto/errors.py",
        "/relaymesh/%2e%2e/%2e%2e/%2e%2e/proto/errors.py",
        "/relaymesh/..%2f..%2f..%2fproto/errors.py",
        "/relaymesh/..\\..\\proto\\errors.py",
        "/relaymesh//etc/passwd",
        "/relaymesh/%00",
        "/console/../relaymesh.js",
        "/console/..%2f..%2f..%2fproto/errors.py",
        "//evil.example/%2e%2e",
    ],
)
async def test_no_path_leads_out_of_the_pages(path: str) -> None:
    console = str(CLIENTS / "console") if (CLIENTS / "console").is_dir() else ""
    pages = {"pages": str(CLIENTS), **({"console": console} if console else {})}
    async with served(**pages) as it:
        answer = await it.answer_to(
            b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        )
    assert int(answer.split(b" ", 2)[1]) in (301, 307, 400, 404)
    assert b"ErrorCode" not in answer
    assert b"root:" not in answer
    assert b"Location: //" not in answer.title()


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", {400}),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", {400}),
        (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400, 501}),
        (b"Content-Length : 5\r\n\r\nhello", {400}),
        (b"Content-Length: +5\r\n\r\nhello", {400}),
        (b"X: y\rTransfer-Encoding: chunked\r\n\r\n", {400}),
        (b"Host: other.example\r\n\r\n", {400}),
    ],
    ids=["lengths", "length and chunks", "x", "space", "sign", "carriage return", "hosts"],
)
async def test_a_request_that_two_could_read_differently_is_refused(
    lines: bytes, statuses: set[int]
) -> None:
    async with served() as it:
        start = b"POST /v1/rooms/lobby/publish HTTP/1.1\r\n" + HOST + BEARER
        answer = await it.answer_to(start + lines + CONNECT + b"\r\n")
    assert int(answer.split(b" ", 2)[1]) in statuses
    assert answer.count(b"HTTP/1.1 ") == 1, "what stood behind it was read as a request"


@pytest.mark.parametrize(
    "upgrade",
    [
        CONNECT
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n",
        b"PRI * HTTP/2.0\r\n",
        CONNECT + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ],
    ids=["h2c", "HTTP/2 at once", "websocket"],
)
async def test_no_request_of_the_gateway_becomes_another_protocol(upgrade: bytes) -> None:
    async with served() as it, await it.raw() as stream:
        await stream.send_all(upgrade + b"\r\nSM\r\n\r\n")
        answer = await stream.receive_some(4096)
    assert not answer.startswith(b"HTTP/1.1 101")
    assert not answer.startswith(b"\x00\x00")


@pytest.mark.parametrize("flood", [b"X: " + b"x" * 20_000, b"X: y\r\n" * 4000])
async def test_a_header_flood_is_refused(flood: bytes) -> None:
    async with served() as it:
        answer = await it.answer_to(b"GET /v1/status HTTP/1.1\r\n" + HOST + flood)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_request_that_trickles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.http_serving.IDLE_S", 0.1)
    async with served() as it, await it.raw() as slow:
        for byte in CONNECT[:20]:
            try:
                await slow.send_all(bytes([byte]))
                await trio.sleep(0.01)
            except trio.BrokenResourceError:
                break
        assert await read_all(slow) == b""


async def test_a_body_that_trickles_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.gateway.endpoint.BODY_TIMEOUT_S", 0.1)
    start = b"POST /v1/rooms/lobby/publish HTTP/1.1\r\n" + HOST
    bearer = f"Authorization: {token('server')['Authorization']}\r\n".encode()
    async with served(max_requests=1) as it, await it.raw() as slow:
        await slow.send_all(start + bearer + b"Content-Length: 5000\r\n\r\n{")
        assert (await slow.receive_some(4096)).startswith(b"HTTP/1.1 504 ")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    start = b"POST /v1/rooms/lobby/publish HTTP/1.1\r\n" + HOST
    bearer = f"Authorization: {token('server')['Authorization']}\r\n".encode()
    async with served() as it, await it.raw() as stream:
        await stream.send_all(start + bearer + b"Content-Length: 99999999999\r\n\r\n")
        assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 413 ")


async def test_one_connection_too_many_is_answered_503() -> None:
    async with served(most=2) as it:
        async with await it.raw(), await it.raw():
            answer = await it.answer_to(CONNECT + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 1" in answer
        with trio.fail_after(5):
            while (await it.answer_to(CONNECT + b"Connection: close\r\n\r\n"))[9:12] != b"200":
                await trio.sleep(0.01)


# -- who asks


async def test_a_token_in_the_url_is_not_looked_at_and_not_logged() -> None:
    shown = token()["Authorization"].removeprefix("Bearer ")
    with structlog.testing.capture_logs() as lines:
        async with served() as it:
            answer = await it.answer_to(
                f"GET /v1/connect?token={shown}&access_token={shown} HTTP/1.1\r\n".encode()
                + HOST
                + b"Connection: close\r\n\r\n"
            )
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert shown.encode() not in answer
    assert shown not in str(lines)


async def test_a_foreign_page_reads_no_answer() -> None:
    ours, theirs = "https://live.example", "https://evil.example"
    async with gateway(*LEASES, allowed_origins=[ours]) as it:
        for origin, allowed in ((ours, ours), (theirs, None), ("null", None)):
            answer = await it.client.get("/v1/connect", headers={**token(), "Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
        for path in ("/v1/rooms/lobby/publish", "/v1/status", "/v1/nodes/access-1/drain"):
            asked = {"Origin": ours, "Access-Control-Request-Method": "POST"}
            answer = await it.client.options(path, headers=asked)
            assert "access-control-allow-origin" not in answer.headers


async def test_what_the_host_header_says_is_in_no_answer() -> None:
    request = b"GET /v1/connect HTTP/1.1\r\nHost: evil.example\r\n" + BEARER
    async with served() as it:
        answer = await it.answer_to(request + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"evil" not in answer


async def test_what_a_request_says_stays_one_line_of_the_log() -> None:
    forged = "x%0a2026-01-01 [info] admin_logged_in"
    with structlog.testing.capture_logs() as lines:
        async with gateway(*LEASES) as it:
            headers = {**token("server"), "X-Trace-Id": "a\tadmin_logged_in"}
            path = f"/v1/rooms/{forged}/publish"
            answer = await it.client.post(path, json={"data": 1}, headers=headers)
            assert answer.status_code in (400, 404)
    assert "admin_logged_in" not in json.dumps(lines, default=str)


@pytest.mark.parametrize(
    "body",
    [b"[" * 60_000, b'{"data":' * 8000, b'{"data":1e999999,"priority":' + b"9" * 5000 + b"}"],
)
async def test_json_that_is_too_deep_or_too_large_is_an_error(body: bytes) -> None:
    async with gateway(*LEASES) as it:
        answer = await it.client.post(
            "/v1/rooms/lobby/publish", content=body, headers=token("server")
        )
        assert answer.status_code == 400
        assert answer.json()["code"] in ("bad_json", "bad_frame")


# -- how much


async def test_one_request_too_many_of_an_address_has_to_wait() -> None:
    limits = {"requests_per_s": 0.1, "requests_burst": 2}
    async with gateway(*LEASES, address=limits) as it:
        for _ in range(2):
            answer = await it.client.get("/v1/connect", headers=token() | HOME)
            assert answer.status_code == 200
        answer = await it.client.get("/v1/connect", headers=token() | HOME)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert 9 <= int(answer.headers["retry-after"]) <= 11
        other = token() | {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}
        assert (await it.client.get("/v1/connect", headers=other)).status_code == 200
        assert (await it.client.get("/v1/connect", headers=token())).status_code == 200


async def test_guessing_tokens_keeps_an_address_out() -> None:
    limits = {"failures_per_s": 0.1, "failures_burst": 2}
    async with gateway(*LEASES, address=limits) as it:
        for guess in ("Bearer a.b.c", "Bearer rm_guess"):
            answer = await it.client.get("/v1/connect", headers=HOME | {"Authorization": guess})
            assert answer.status_code == 401
        answer = await it.client.get("/v1/connect", headers=token() | HOME)
        assert answer.status_code == 429
        assert (await it.client.get("/v1/connect", headers=token())).status_code == 200
        it.gateway.reconfigured(it.settings)
        answer = await it.client.get("/v1/connect", headers=token() | HOME)
        assert answer.status_code == 429, "a reload forgives nobody"


async def test_one_address_holds_not_all_places() -> None:
    async with gateway(*LEASES, max_requests=3, address={"max_requests": 1}) as it:
        arrived, go_on = trio.Event(), trio.Event()

        async def body() -> AsyncIterator[bytes]:
            arrived.set()
            await go_on.wait()
            yield b'{"data":1}'

        async def publish() -> None:
            path = "/v1/rooms/lobby/publish"
            await it.client.post(path, content=body(), headers=token("server") | HOME)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            await arrived.wait()
            answer = await it.client.get("/v1/connect", headers=token() | HOME)
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert answer.headers["retry-after"] == "1"
            assert (await it.client.get("/v1/connect", headers=token())).status_code == 200
            go_on.set()
        answer = await it.client.get("/v1/connect", headers=token() | HOME)
        assert answer.status_code == 200


async def test_one_request_too_many_of_all_is_answered_503() -> None:
    async with gateway(*LEASES, max_requests=1) as it:
        arrived, go_on = trio.Event(), trio.Event()

        async def body() -> AsyncIterator[bytes]:
            arrived.set()
            await go_on.wait()
            yield b'{"data":1}'

        async def publish() -> None:
            path = "/v1/rooms/lobby/publish"
            await it.client.post(path, content=body(), headers=token("server"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            await arrived.wait()
            answer = await it.client.get("/v1/connect", headers=token())
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
            go_on.set()
        answer = await it.client.get("/v1/connect", headers=token())
        assert answer.status_code == 200
        assert it.counters.turned_away == 1
