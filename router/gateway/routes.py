"""The paths of the gateway."""

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from router.gateway.counters import GatewayCounters
from router.gateway.cross_origin import CrossOrigin
from router.gateway.endpoint import Endpoint, Handler, NotFound, operation_handler
from router.gateway.operation import Operation
from router.gateway.pages import console, pages
from router.gateway.pipeline import Pipeline
from router.gateway.reference.routes import reference_routes
from router.gateway.settings import GatewaySettings


def routes(
    operations: Sequence[Operation],
    pipeline: Pipeline,
    counters: GatewayCounters,
    current: Callable[[], GatewaySettings],
) -> list[BaseRoute]:
    """Return the routes of the API, of its reference and, where the settings name their folders, of
    the console and of the demo's pages. `current` returns the settings that hold now.

    Raises `OSError` when such a folder does not hold the pages.
    """
    found: list[BaseRoute] = []
    shared = {each.path for each in operations if each.cross_origin}
    for path, handlers in by_path(operations, pipeline).items():
        app: ASGIApp = Endpoint(handlers, counters.errors)
        if path in shared:
            app = CrossOrigin(app, lambda: current().allowed_origins, list(handlers))
        found.append(Route(path, app))
    found += reference_routes(operations, counters.errors)
    found.append(Route("/v1/{rest:path}", NotFound(counters.errors)))
    folders = current()
    found += console(folders.console) if folders.console else []
    return found + (pages(folders.pages) if folders.pages else [])


def by_path(operations: Sequence[Operation], pipeline: Pipeline) -> dict[str, dict[str, Handler]]:
    """Return the handlers of each path, by method."""
    paths: dict[str, dict[str, Handler]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method] = operation_handler(each, pipeline)
    return paths
