"""How many connections a user has in the whole cluster, by the route map."""

from collections.abc import Sequence

import structlog
import trio

from access.users import Users
from backends.errors import StoreUnavailableError
from backends.leases.interface import Registry
from backends.routes.interface import Route, Routes
from proto.errors import ErrorCode, RequestError
from proto.identity import NodeIdentity

log = structlog.get_logger()

FRESH_S = 2.0
"""How old what is known of living nodes may be: nodes die seldom, and somebody who comes again and
again must not have all leases read each time."""

Life = tuple[str, str]
"""A node and its incarnation."""


class UserConnections:
    """Refuses the newest connection of who has as many as it may. So nobody who floods a user's
    account drives that user's own devices away, and no other node has to be asked to close one.

    `routes` is `None` where the route map is another region's: then this node alone is counted.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        users: Users,
        routes: Routes | None,
        registry: Registry,
        most: int,
    ) -> None:
        self.most = most
        self._me: Life = (identity.node, identity.incarnation)
        self._users = users
        self._routes = routes
        self._registry = registry
        self._living: frozenset[Life] = frozenset()
        self._read_at = float("-inf")

    def check_here(self, uid: str) -> None:
        """Raise `too_many_connections` where this node alone has as many as the user may have."""
        if len(self._users.connections(uid)) >= self.most:
            raise self._too_many()

    async def check_everywhere(self, uid: str, connection: int) -> None:
        """Raise `too_many_connections` for a connection whose route is written, where others that
        live were there before it. With the store away nothing is known, and nobody refused."""
        if self._routes is None:
            return
        try:
            (routes,) = await self._routes.lookup([uid])
            alive = routes if len(routes) <= self.most else await self._alive(routes)
        except StoreUnavailableError:
            return
        if Route(*self._me, connection) in alive[self.most :]:
            log.info("too_many_connections", uid=uid, connections=len(alive))
            raise self._too_many()

    async def _alive(self, routes: Sequence[Route]) -> list[Route]:
        """Return those of `routes`, the oldest first, whose nodes live; of other regions' nodes
        nothing is known here."""
        now = trio.current_time()
        if now - self._read_at > FRESH_S:
            leases = await self._registry.living("access")
            self._living = frozenset((lease.node, lease.incarnation) for lease in leases)
            self._read_at = now
        living = self._living | {self._me}
        return [each for each in routes if each.region or (each.node, each.incarnation) in living]

    def _too_many(self) -> RequestError:
        message = f"a user may have {self.most} connections; close another one first"
        return RequestError(ErrorCode.TOO_MANY_CONNECTIONS, message)
