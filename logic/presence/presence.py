"""Who is online: from the routes of a user, and from the leases of the nodes that they name."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from backends.errors import StoreUnavailableError
from backends.routes.interface import Route, Routes
from logic.living import Living

FRESH_S = 0.25
"""Age at which the view of the living nodes is read anew. With what an access node adds (it asks
twice a second, and waits a second for a device to come back), a node's end is known in 2 s."""
MAX_DEAD = 10_000
Life = tuple[str, str]


class State(StrEnum):
    """The `state` of a user."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Online:
    """What is known of one user: its state, and the devices that are connected."""

    __slots__ = ("devices", "state")

    def __init__(self, state: State, devices: frozenset[str] = frozenset()) -> None:
        self.state = state
        self.devices = devices


_UNKNOWN, _OFFLINE = Online(State.UNKNOWN), Online(State.OFFLINE)


class Presence:
    """Tells who is online. A route counts while its node's lease runs.

    While the registry has not settled, or the store is away, nobody is told to be offline, nor
    online: leases and routes that are missing then mean nothing.
    """

    def __init__(self, routes: Routes, living: Living) -> None:
        self._routes = routes
        self._living = living
        self._dead: set[Life] = set()
        """Lives that were missing from a read made after their route was found."""

    async def of(self, uids: Sequence[str]) -> list[Online]:
        """Return what is known of each user, in the order asked."""
        try:
            found = await self._routes.lookup(uids)
        except StoreUnavailableError:
            return [_UNKNOWN] * len(uids)
        await self._learn(route for routes in found for route in routes)
        if not self._living.settled:
            return [_UNKNOWN] * len(uids)
        away = self._living.unsettled_regions()
        return [self._online(routes, away) for routes in found]

    async def _learn(self, routes: Iterable[Route]) -> None:
        """Read the leases anew when the view is old, or when a route's node is not in it.

        A node renews its lease before it registers a route: a lease missing from a read that came
        after the lookup is gone; one missing from an earlier read may be new.
        """
        here = {_life(route) for route in routes if not route.region}
        missing = here - self._living.lives - self._dead
        if missing or self._living.age_s() > FRESH_S:
            await self._living.refresh()
        if missing and self._living.settled:
            self._remember(missing - self._living.lives)

    def _remember(self, dead: set[Life]) -> None:
        if len(self._dead) + len(dead) > MAX_DEAD:
            self._dead.clear()
        self._dead |= dead

    def _online(self, routes: Sequence[Route], away: frozenset[str]) -> Online:
        living = [route for route in routes if _life(route) in self._living.lives]
        if not living:
            return _UNKNOWN if any(route.region in away for route in routes) else _OFFLINE
        return Online(State.ONLINE, frozenset(route.device for route in living) - {""})


def _life(route: Route) -> Life:
    return route.node, route.incarnation
