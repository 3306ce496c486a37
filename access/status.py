"""What an access node is doing, as its lease and `/status` say it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from access.counters import AccessCounters
from access.im.messaging import Messaging
from access.moves.moving import Moving
from access.rooms import Rooms
from access.route_keeper import RouteKeeper
from access.sessions import Sessions
from access.stream import CursorCounters
from access.users import Users
from mesh.interface import Mesh
from proto.priorities import LABELS, Priority

ANY_KEY = ""
"""Every relay that is up carries it, in some place."""


@dataclass(kw_only=True, slots=True)
class NodeStatus:
    """The parts of a node that have something to show."""

    max_connections: int
    http_url: str
    counters: AccessCounters
    cursor_counters: tuple[CursorCounters, CursorCounters, CursorCounters]
    users: Users
    mesh: Mesh
    moving: Moving
    rooms: Rooms
    routes: RouteKeeper
    messaging: Messaging
    sessions: Sessions
    lane_depths: Callable[[], dict[str, int]] = dict
    """How many envelopes wait for relays; set by whoever knows the links."""
    figures: Callable[[], dict[str, Any]] = dict
    """What the links have carried, and when (`mesh.figures`); set likewise."""
    thinned: Callable[[], Sequence[int]] = tuple
    """How many messages were taken out of slow clients' queues, by priority; set likewise."""

    def now(self) -> dict[str, Any]:
        """Return what the node is doing, as JSON-able values."""
        counters = self.counters
        drops = sorted(counters.drops.items())
        return {
            "draining": self.sessions.draining,
            **self.moving.status(),
            "connections": self.sessions.connections,
            "max_connections": self.max_connections,
            "users": len(self.users),
            "rooms": self.rooms.with_members,
            "rooms_open": len(self.rooms),
            "links": len(self.mesh.carriers(ANY_KEY)),
            "lane_depths": self.lane_depths(),
            **self.figures(),
            "pending": by_label(self.rooms.pending),
            "drops": {f"{why} {LABELS[priority]}": n for (why, priority), n in drops},
            "skipped": self._skipped(),
            "deliveries": by_label(counters.deliveries),
            "routes_waiting": self.routes.waiting,
            "likes": counters.likes_in,
            "im": self.messaging.status(),
            "http": self.http_url,
            "certificate": self.mesh.certificate and self.mesh.certificate._asdict(),
        }

    def _skipped(self) -> dict[str, int]:
        """Messages that members were told of as skipped, or that slow ones were, by priority."""
        thinned = self.thinned() or (0, 0, 0)
        pairs = zip(self.cursor_counters, thinned, strict=True)
        return by_label([cursors.skipped + slow for cursors, slow in pairs])


def by_label(numbers: list[int]) -> dict[str, int]:
    """Return a list indexed by priority as a mapping of labels."""
    return {priority.label: numbers[priority] for priority in Priority}
