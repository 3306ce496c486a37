import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backends.http.signature import is_signed
from backends.leases.memory import MemoryDuties
from backends.provisioner.connect import open_provisioner
from backends.provisioner.interface import Provisioner, ProvisionerError
from backends.provisioner.names import pool_of
from backends.provisioner.webhook import signed_content
from tests.backends.provisioner.conftest import (
    NOW_S,
    SECRET,
    documented,
    nothing_in_use,
    webhook_settings,
)
from tests.backends.serving import served

POOL = pool_of("big-show")


class Server:
    """Takes what is signed; answers as told, one answer after the other, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = [(200, b'{"nodes": 3}')]
        self.hangs = False

    async def take(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        pool = request.path_params["pool"]
        assert is_signed(SECRET, headers, signed_content(request.method, pool, body), NOW_S)
        self.requests.append((request.method, pool, headers, body))
        if self.hangs:
            await trio.sleep_forever()
        status, content = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(content, status)


@pytest.fixture
async def server() -> AsyncIterator[Any]:
    server = Server()
    route = Route("/x/pools/{pool}", server.take, methods=["PUT", "DELETE"])
    async with served(Starlette(routes=[route])) as url:
        server.url = f"{url}/x/"  # type: ignore[attr-defined]
        yield server


@asynccontextmanager
async def webhook(url: str, **changed: Any) -> AsyncIterator[Provisioner]:
    settings, duties = webhook_settings(url, **changed), MemoryDuties(lambda: NOW_S)
    async with open_provisioner(settings, nothing_in_use, duties, lambda: NOW_S) as opened:
        assert opened is not None
        yield opened


async def test_a_request_verifies_as_the_docs_say(server):
    names = documented()
    names["SECRET"], verified = SECRET, names["verified"]
    async with webhook(server.url) as pools:
        assert await pools.provide("big-show", "", 3) == POOL
    ((method, pool, headers, body),) = server.requests
    assert (method, pool) == ("PUT", POOL)
    assert json.loads(body) == {"room": "big-show", "nodes": 3}
    headers = {name.title(): value for name, value in headers.items()}
    assert verified("PUT", POOL, headers, body, NOW_S + 299)
    assert not verified("PUT", POOL, headers, body, NOW_S + 302)
    assert not verified("DELETE", POOL, headers, body, NOW_S)
    assert not verified("PUT", "hot-other", headers, body, NOW_S)
    assert not verified("PUT", POOL, headers, body + b" ", NOW_S)
    assert not verified("PUT", POOL, {}, body, NOW_S)


async def test_a_name_that_is_had_already_is_used_again(server):
    async with webhook(server.url) as pools:
        assert await pools.provide("big-show", "hot-older", 3) == "hot-older"
        await pools.release("show", "hot-older")
    assert [request[:2] for request in server.requests] == [
        ("PUT", "hot-older"),
        ("DELETE", "hot-older"),
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b'{"nodes": 2}'), "gives 2 of 3 nodes"),
        ((200, b"done"), r'expected {"nodes": N}'),
        ((204, b""), r'expected {"nodes": N}'),
        ((409, b'{"error": {"message": "no\\nroom left"}}'), "answered 409: no room left"),
        ((403, b"<html>"), "answered 403$"),
        ((302, b""), "answered 302$"),
    ],
)
async def test_what_is_no_pool_is_said_at_once(server, answer, message):
    server.answers = [answer]
    async with webhook(server.url) as pools:
        with pytest.raises(ProvisionerError, match=message):
            await pools.provide("big-show", "", 3)
    assert len(server.requests) == 1


async def test_a_server_that_is_away_for_a_moment_is_asked_again(server):
    server.answers = [(503, b""), (200, b'{"nodes": 3}')]
    async with webhook(server.url) as pools:
        assert await pools.provide("big-show", "", 3) == POOL
    assert len(server.requests) == 2


async def test_errors_without_end_are_given_up(server):
    server.answers = [(500, b'{"error": {"message": "out of order"}}')]
    async with webhook(server.url, give_up_s=0.1) as pools:
        with pytest.raises(ProvisionerError, match=r"answered 500: out of order for 0\.1 s"):
            await pools.release("show", POOL)


async def test_a_server_that_never_answers_is_given_up(server):
    server.hangs = True
    async with webhook(server.url, timeout_s=0.05, give_up_s=0.1) as pools:
        with pytest.raises(ProvisionerError, match="timeout for"):
            await pools.provide("big-show", "", 3)


async def test_nobody_there_is_given_up(free_port):
    async with webhook(f"http://127.0.0.1:{free_port}", give_up_s=0.1) as pools:
        with pytest.raises(ProvisionerError, match="unreachable for"):
            await pools.provide("big-show", "", 3)


async def test_a_host_that_can_be_none_is_given_up():
    async with webhook("http://no..host", give_up_s=0.1) as pools:
        with pytest.raises(ProvisionerError, match="unreachable for"):
            await pools.provide("big-show", "", 3)


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_released(server, status):
    server.answers = [(status, b"")]
    async with webhook(server.url) as pools:
        await pools.release("show", POOL)
    assert len(server.requests) == 1
