"""HTTP of a node: `/healthz`, `/readyz`, `/metrics`, `/statusz`, and the role's own routes."""

import logging
from typing import cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import ASGIFramework
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client import generate_latest as render_metrics
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ops.roles import Service


def application(service: Service) -> Starlette:
    """Return the ASGI application that shows `service` and serves its `routes()`, if it has any."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for collector in service.collectors():
        registry.register(collector)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = service.ready()
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(render_metrics(registry), media_type=CONTENT_TYPE_LATEST)

    async def statusz(_: Request) -> Response:
        return JSONResponse(service.status())

    shown = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/statusz": statusz}
    own: list[BaseRoute] = [Route(path, endpoint) for path, endpoint in shown.items()]
    return Starlette(routes=own + _routes_of(service))


async def serve_http(
    app: Starlette,
    listen: str,
    *,
    stopping: trio.Event,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` at `listen` (HOST:PORT) until `stopping`; raises `OSError` if it can't listen.

    `task_status` gets the addresses as URLs once connections are taken.
    """
    config = Config()
    config.bind = [listen]
    config.accesslog = None
    # Through the standard logger, so that its lines take the form of ours (ops.logging).
    config.errorlog = logging.getLogger("hypercorn.error")
    config.loglevel = "WARNING"
    config.graceful_timeout = 1.0
    config.include_server_header = False
    # The same ASGI, written down with other type aliases.
    asgi = cast("ASGIFramework", app)
    await serve(asgi, config, shutdown_trigger=stopping.wait, task_status=task_status)


def _routes_of(service: Service) -> list[BaseRoute]:
    routes = getattr(service, "routes", None)
    return list(routes()) if routes else []
