"""The route map in memory, for tests of a whole cluster in one process."""

from collections.abc import Sequence

from backends.routes.interface import MAX_ROUTES, Route, UserRoute


class MemoryRoutes:
    """Implements `Routes`; keeps what is never removed."""

    def __init__(self, max_routes: int = MAX_ROUTES) -> None:
        self._max_routes = max_routes
        self._routes: dict[str, list[Route]] = {}

    async def add(self, routes: Sequence[UserRoute]) -> None:
        """See `Routes`."""
        for uid, route in routes:
            self._add(uid, route)

    async def remove(self, routes: Sequence[UserRoute]) -> None:
        """See `Routes`."""
        for uid, route in routes:
            self._remove(uid, route)

    def _add(self, uid: str, route: Route) -> None:
        known = self._routes.get(uid, [])
        kept = [other for other in known if other != route and not _outlived(other, route)]
        self._routes[uid] = [*kept, route][-self._max_routes :]

    def _remove(self, uid: str, route: Route) -> None:
        kept = [known for known in self._routes.get(uid, []) if known != route]
        if kept:
            self._routes[uid] = kept
        else:
            self._routes.pop(uid, None)

    async def lookup(self, uids: Sequence[str]) -> list[list[Route]]:
        """See `Routes`."""
        return [list(self._routes.get(uid, [])) for uid in uids]


def _outlived(old: Route, new: Route) -> bool:
    return old.node == new.node and old.incarnation != new.incarnation
