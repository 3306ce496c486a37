import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backends.push.interface import Outcome, Verdict
from backends.push.settings import WebhookSettings
from tests.backends.push.conftest import NOW_S, note, opened
from tests.backends.serving import served

SECRET = "s" * 32
DOCUMENT = Path(__file__).parents[3] / "docs/push.md"


def documented() -> Any:
    """Return `verified` as docs/push.md shows it."""
    (sample,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)
    return names["verified"]


class WebhookServer:
    """Takes posts that verify; answers with `status`."""

    def __init__(self) -> None:
        self.verified = documented()
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.hangs = False

    async def post(self, request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        if self.hangs:
            await trio.sleep_forever()
        if not self.verified(SECRET, headers, body, NOW_S):
            return Response(status_code=400)
        self.posts.append((headers, body))
        return Response(status_code=self.status, headers=self.headers)


@pytest.fixture
async def server():
    server = WebhookServer()
    async with served(Starlette(routes=[Route("/hook", server.post, methods=["POST"])])) as url:
        server.url = f"{url}/hook"
        yield server


@pytest.fixture
async def webhook(server, clock):
    settings = WebhookSettings(url=server.url, secret=SECRET)
    async with opened(clock, webhook=settings) as providers:
        yield providers["webhook"]


async def test_a_post_verifies_as_the_docs_say(webhook, server):
    assert await webhook.send(note(title="Ännchen")) == Outcome(Verdict.SENT)
    ((headers, body),) = server.posts
    assert headers["relaymesh-id"] == "k7fyw2p5zq3b6rtd/phone"
    assert msgspec.json.decode(body) == {
        "token": "token-1",
        "uid": "bob",
        "device": "phone",
        "id": "k7fyw2p5zq3b6rtd",
        "conv": "d:ann|bob",
        "seq": 7,
        "kind": "message",
        "ts_ms": 1_790_000_000_000,
        "title": "Ännchen",
        "body": "hello",
        "badge": 3,
        "quiet": False,
    }


async def test_what_was_changed_or_is_old_does_not_verify(webhook, server):
    await webhook.send(note())
    ((headers, body),) = server.posts
    verified = server.verified
    assert verified(SECRET, headers, body, NOW_S + 299)
    assert not verified(SECRET, headers, body, NOW_S + 302)
    assert not verified(SECRET, headers, body, NOW_S - 302)
    assert not verified("t" * 32, headers, body, NOW_S)
    assert not verified(SECRET, headers, body + b" ", NOW_S)
    later = headers | {"relaymesh-timestamp": str(int(NOW_S) + 1)}
    assert not verified(SECRET, later, body, NOW_S)
    assert not verified(SECRET, {}, body, NOW_S)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Outcome(Verdict.SENT)),
        (410, {}, Outcome(Verdict.GONE, "http_410")),
        (404, {}, Outcome(Verdict.LATER, "http_404")),
        (429, {"retry-after": "20"}, Outcome(Verdict.LATER, "http_429", 20)),
        (503, {}, Outcome(Verdict.LATER, "http_503")),
        (422, {}, Outcome(Verdict.REFUSED, "http_422")),
        (302, {"location": "/elsewhere"}, Outcome(Verdict.REFUSED, "http_302")),
    ],
)
async def test_answers_are_told_apart(webhook, server, status, headers, expected):
    server.status, server.headers = status, headers
    assert await webhook.send(note()) == expected


async def test_a_server_that_hangs_is_given_up(server, clock):
    server.hangs = True
    settings = WebhookSettings(url=server.url, secret=SECRET)
    async with opened(clock, webhook=settings, timeout_s=0.2) as providers:
        assert await providers["webhook"].send(note()) == Outcome(Verdict.LATER, "timeout")


def test_a_webhook_without_a_secret_is_refused():
    with pytest.raises(ValueError, match=r"^secret: must be given with url"):
        WebhookSettings(url="http://127.0.0.1:1/")


async def test_without_settings_there_is_no_provider(clock):
    async with opened(clock) as providers:
        assert providers == {}
