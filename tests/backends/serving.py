"""Serves an ASGI app on a free port of the loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Give the URL at which `app` is served until the block ends."""
    config, stop = Config(), trio.Event()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.1
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(_serve, app, config, stop)
        yield urls[0]
        stop.set()


async def _serve(app: Any, config: Config, stop: trio.Event, *, task_status: Any) -> None:
    await serve(app, config, shutdown_trigger=stop.wait, task_status=task_status)
