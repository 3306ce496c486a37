"""The route map: on which access nodes a user is connected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

MAX_ROUTES = 40
"""Most connections of a user that are kept: more than it may have (`access.user.max_connections`),
so that there is room for those of nodes that have died. The oldest go first."""


@dataclass(frozen=True, slots=True)
class Route:
    """One connection of a user. Counts only while the node's lease with this incarnation runs."""

    node: str
    incarnation: str
    connection: int
    device: str = field(default="", compare=False)
    """The one that takes instant messages here ("": none does); a connection keeps it for life."""
    region: str = field(default="", compare=False)
    """The region of the node where that is not the one of the route map ("")."""


UserRoute = tuple[str, Route]
"""A uid and one of its connections."""


class RouteWriter(Protocol):
    """uid -> connections, as access nodes write it.

    Writes are gathered: a node has thousands a second. Those of one call have no order among them;
    when one raises, any of them may have been done, and all may be done again.
    """

    async def add(self, routes: Sequence[UserRoute]) -> None:
        """Register connections; several devices of a user have a route each.

        Routes outlive the last `add` of their user by a day: add again those that last longer.
        """

    async def remove(self, routes: Sequence[UserRoute]) -> None:
        """Remove exactly these connections' routes, and no others."""


class Routes(RouteWriter, Protocol):
    """uid -> connections, written by access nodes and read by routers and logic."""

    async def lookup(self, uids: Sequence[str]) -> list[list[Route]]:
        """Return the routes of each uid, in the order asked; dead ones may be among them."""
