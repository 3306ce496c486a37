"""Connections in other regions of users who are at home here."""

from collections.abc import Iterable

from backends.routes.interface import Route, RouteWriter, UserRoute
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_node, is_uid
from proto.regions import Regions
from proto.services import RouteChange, decode_routes

MAX_CHANGES = 1024
"""In one request; an access node sends 512 at most."""


class RoutesHandler:
    """Serves `Method.ROUTES`."""

    def __init__(self, routes: RouteWriter, regions: Regions) -> None:
        self._routes = routes
        self._regions = regions

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Return an empty answer; raises `RequestError` or `StoreUnavailableError`."""
        asked = decode_routes(body)
        if asked.region not in self._regions.names:
            raise _bad("region", f"must be one of {', '.join(self._regions.names)}")
        if len(asked.add) + len(asked.remove) > MAX_CHANGES:
            raise _bad("add", f"at most {MAX_CHANGES} changes at once")
        removed, added = _routes(asked.remove, asked.region), _routes(asked.add, asked.region)
        if removed:
            await self._routes.remove(removed)
        if added:
            await self._routes.add(added)
        return b""


def _routes(changes: Iterable[RouteChange], region: str) -> list[UserRoute]:
    return [(change.uid, _route(change, region)) for change in changes]


def _route(change: RouteChange, region: str) -> Route:
    if not is_uid(change.uid):
        raise _bad("uid", "is no user id")
    # A place is written with spaces between its parts.
    fine = is_node(change.node) and " " not in change.incarnation + change.device
    if not fine:
        raise _bad("node", "node, incarnation or device is none")
    return Route(change.node, change.incarnation, change.connection, change.device, region)


def _bad(field: str, reason: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {reason}", field=field)
