"""HTTP of a node: `/healthz`, `/readyz`, `/metrics`, `/statusz`, and the role's own routes."""

import socket

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, ProcessCollector
from prometheus_client import generate_latest as render_metrics
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ops.config.metrics import ReloadCollector
from ops.config.reloading import Reloading
from ops.errors import Failure
from ops.roles import Service


def application(service: Service, reloading: Reloading | None = None) -> Starlette:
    """Return the ASGI application that shows `service`, and what became of its config, and serves
    its `routes()`, if it has any."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    ready = Gauge("relaymesh_ready", "Whether the node can do its work now.", registry=registry)
    ready.set_function(lambda: float(service.ready()))
    for collector in service.collectors():
        registry.register(collector)
    if reloading is not None:
        registry.register(ReloadCollector(reloading))

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = service.ready()
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(render_metrics(registry), media_type=CONTENT_TYPE_LATEST)

    async def statusz(_: Request) -> Response:
        config = {"config": reloading.status()} if reloading is not None else {}
        return JSONResponse({**service.status(), **config})

    shown = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/statusz": statusz}
    own: list[BaseRoute] = [Route(path, endpoint) for path, endpoint in shown.items()]
    return Starlette(routes=own + _routes_of(service))


def listen(address: str) -> socket.socket:
    """Return a socket that listens at `address` (HOST:PORT).

    Raises `Failure` with one line if that is not possible.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=100)
    except (OSError, OverflowError) as error:
        raise Failure(f"node.http: can't listen at {address}: {error}") from None
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def url_of(server: socket.socket) -> str:
    """Return the `http://` URL of a listening socket."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _routes_of(service: Service) -> list[BaseRoute]:
    routes = getattr(service, "routes", None)
    return list(routes()) if routes else []
