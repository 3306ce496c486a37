import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from backends.push.connect import open_providers
from backends.push.interface import Notification, Provider
from backends.push.settings import FcmSettings, WebhookSettings
from tests.backends.push.fcm_server import FcmServer
from tests.backends.serving import served

NOW_S = 1_790_000_000.0


class Clock:
    """The time as both ends see it."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fcm_server(clock: Clock) -> AsyncIterator[FcmServer]:
    server = FcmServer(clock)
    async with served(server.app()) as server.url:
        yield server


def note(**changed: Any) -> Notification:
    """Return a notification with some fields changed."""
    fields: dict[str, Any] = {
        "token": "token-1",
        "uid": "bob",
        "device": "phone",
        "id": "k7fyw2p5zq3b6rtd",
        "conv": "d:ann|bob",
        "seq": 7,
        "kind": "message",
        "ts_ms": 1_790_000_000_000,
        "title": "Ann",
        "body": "hello",
        "badge": 3,
    }
    return Notification(**fields | changed)


@asynccontextmanager
async def opened(
    clock: Clock,
    fcm: FcmSettings | None = None,
    webhook: WebhookSettings | None = None,
    timeout_s: float = 5.0,
) -> AsyncIterator[dict[str, Provider]]:
    """Give the providers of these settings."""
    async with open_providers(
        fcm or FcmSettings(), webhook or WebhookSettings(), timeout_s, clock
    ) as providers:
        yield dict(providers)


@pytest.fixture
async def fcm(fcm_server: FcmServer, clock: Clock, tmp_path: Any) -> AsyncIterator[Provider]:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(fcm_server.account()))
    settings = FcmSettings(account_file=str(path), endpoint=fcm_server.url)
    async with opened(clock, fcm=settings) as providers:
        yield providers["fcm"]
