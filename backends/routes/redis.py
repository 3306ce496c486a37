"""The route map in Redis: a key for each user, so that looking up scales with the cluster."""

from collections.abc import Sequence

from backends.redis.client import RedisClient
from backends.redis.scripts import Command, script
from backends.routes.interface import MAX_ROUTES, Route, UserRoute

_ADD = script("route_add")
_REMOVE = script("route_remove")


class RedisRoutes:
    """Implements `Routes`.

    `ttl_s` is how long a user's routes outlive the last `add`: what a crashed node leaves behind
    goes then, or when the node's next life adds the user. A node adds the routes of connections
    that last longer again within that time.
    """

    def __init__(
        self, redis: RedisClient, *, ttl_s: float = 86_400.0, max_routes: int = MAX_ROUTES
    ) -> None:
        self._redis = redis
        self._ttl_ms = round(ttl_s * 1000)
        self._max_routes = max_routes

    async def add(self, routes: Sequence[UserRoute]) -> None:
        """See `Routes`."""
        bounds = (self._max_routes, self._ttl_ms)
        await self._redis.call_spread(
            [
                _ADD.command([_key(uid)], *_name(route), route.device, *bounds)
                for uid, route in routes
            ]
        )

    async def remove(self, routes: Sequence[UserRoute]) -> None:
        """See `Routes`."""
        await self._redis.call_spread(
            [_REMOVE.command([_key(uid)], *_name(route)) for uid, route in routes]
        )

    async def lookup(self, uids: Sequence[str]) -> list[list[Route]]:
        """See `Routes`."""
        commands: list[Command] = [("GET", _key(uid)) for uid in uids]
        return [_routes(reply) for reply in await self._redis.call_spread(commands)]


def _key(uid: str) -> str:
    return f"rm:u:{uid}"


def _name(route: Route) -> tuple[str, str, int]:
    place = f"{route.region}/{route.node}" if route.region else route.node
    return place, route.incarnation, route.connection


def _routes(value: bytes | None) -> list[Route]:
    return [] if value is None else [_route(line) for line in value.decode().split("\n")]


def _route(line: str) -> Route:
    place, incarnation, connection, *device = line.split(" ")
    region, _, node = place.rpartition("/")
    return Route(node, incarnation, int(connection), "".join(device), region)
