"""A login as a source of tokens, against a gateway that rotates refresh tokens."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import trio

from relaymesh_client import Login, Refused


class FakeGateway:
    """Gives `life_s` to each token; knows but one refresh token."""

    def __init__(self) -> None:
        self.life_s = 900.0
        self.ahead_s = 0.0
        """By how much its clock is ahead of the device's."""
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self.given = 0
        self.status = 200
        self.url = ""

    def answer(self, path: str, body: dict[str, Any], authorization: str) -> tuple[int, Any]:
        self.asked.append((path.removeprefix("/v1/auth/"), body, authorization))
        if self.status != 200:
            code = "wrong_password" if self.status < 500 else "unavailable"
            return self.status, {"code": code, "detail": "no", "field": "password"}
        if path.endswith(("logout", "logout-everywhere")):
            return 200, {}
        if path.endswith("refresh") and body["refresh_token"] != f"refresh-{self.given}":
            return 401, {"code": "token_revoked", "detail": "used before"}
        self.given += 1
        return 200, {
            "uid": "u-1",
            "sid": "u-1.5",
            "access_token": f"access-{self.given}",
            "access_expires_ms": int((time.time() + self.ahead_s + self.life_s) * 1000),
            "access_token_s": self.life_s,
            "refresh_token": f"refresh-{self.given}",
            "refresh_expires_ms": 0,
        }


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    fake = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = fake.answer(self.path, body, self.headers.get("Authorization", ""))
            raw = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_token_is_used_until_it_nears_its_end(gateway: FakeGateway) -> None:
    login = await Login.log_in(gateway.url, "ann", "correct horse", device="phone")
    assert (login.uid, await login(), await login()) == ("u-1", "access-1", "access-1")
    body = {"name": "ann", "password": "correct horse", "device": "phone"}
    assert gateway.asked == [("login", body, "")]


async def test_one_that_nears_its_end_is_exchanged_once_for_all_who_ask(
    gateway: FakeGateway,
) -> None:
    kept: list[str] = []
    gateway.life_s = 0.0
    login = await Login.register(
        gateway.url, "ann", "pw", changed=lambda tokens: kept.append(tokens["refresh_token"])
    )
    gateway.life_s, got = 900.0, list[str]()

    async def ask() -> None:
        got.append(await login())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
    assert got == ["access-2"] * 3
    assert kept == ["refresh-1", "refresh-2"]
    again = Login(gateway.url, login.tokens)
    assert await again() == "access-2"


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
async def test_a_clock_that_is_wrong_changes_nothing(gateway: FakeGateway, ahead_s: float) -> None:
    gateway.ahead_s = ahead_s
    login = await Login.log_in(gateway.url, "ann", "pw")
    assert await login() == "access-1"
    gateway.life_s = 0.0
    short = await Login.log_in(gateway.url, "ann", "pw")
    assert await short() == "access-3"


async def test_a_login_that_has_ended_is_refused_and_a_gateway_that_is_away_is_not(
    gateway: FakeGateway,
) -> None:
    gateway.life_s = 0.0
    login = await Login.log_in(gateway.url, "ann", "pw")
    gateway.status = 503
    with pytest.raises(OSError, match="503"):
        await login()
    gateway.status = 200
    gateway.given += 1
    with pytest.raises(Refused) as caught:
        await login()
    assert caught.value.code == "token_revoked"


async def test_a_wrong_password_is_refused(gateway: FakeGateway) -> None:
    gateway.status = 401
    with pytest.raises(Refused) as caught:
        await Login.log_in(gateway.url, "ann", "pw")
    assert (caught.value.code, caught.value.field) == ("wrong_password", "password")


@pytest.mark.parametrize(("everywhere", "path"), [(False, "logout"), (True, "logout-everywhere")])
async def test_logging_out_says_who(gateway: FakeGateway, everywhere: bool, path: str) -> None:
    login = await Login.log_in(gateway.url, "ann", "pw")
    await login.log_out(everywhere=everywhere)
    assert gateway.asked[-1] == (path, {}, "Bearer access-1")
