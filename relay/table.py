"""The subscription table: who wants which room. Pure.

A node's row begins with a full step and lives as long as the node's connection. A node that goes
takes its row with it at once, without a grace: without links nothing can be delivered to it, when
it returns it sends a full step anyway, and what fell between comes from the room log.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from proto.headers import Confirm, Interest
from relay.hot.wanted import HOT_MARK, Wanted

N = TypeVar("N", bound=Hashable)


def _nothing(*_: object) -> None:
    return


class SubscriptionTable(Generic[N]):
    """Rooms by node and nodes by room; `N` is whatever stands for a node's connection.

    `turned` hears of each room that somebody wants now (true), or nobody any longer.
    """

    def __init__(
        self, turned: Callable[[bytes, bool], None] = _nothing, hot: Wanted | None = None
    ) -> None:
        self._turned = turned
        self._rooms: dict[N, set[bytes]] = {}
        self._generations: dict[N, int] = {}
        self._nodes: dict[bytes, dict[N, None]] = {}
        self._hot_keys = 0
        self.hot = Wanted() if hot is None else hot
        """The keys that are of the hot way, this table's among them."""

    def __len__(self) -> int:
        """How many rooms somebody wants by the ordinary way."""
        return len(self._nodes) - self._hot_keys

    def receivers(self, room: bytes) -> list[N]:
        """Return the nodes that want `room`."""
        return list(self._nodes.get(room, ()))

    def rooms(self, node: N) -> int:
        """Return how many rooms `node` wants."""
        return len(self._rooms.get(node, ()))

    def step(self, node: N, step: Interest) -> Confirm:
        """Take in a step of `node` and return what to answer.

        A step that does not follow the one before changes nothing and is answered as stale.
        """
        if not step.full and step.generation != self._generations.get(node, -1) + 1:
            return Confirm(step.generation, stale=True)
        if step.full:
            self.remove(node)
        self._generations[node] = step.generation
        rooms = self._rooms.setdefault(node, set())
        for name in step.add:
            self._add(node, rooms, name.encode())
        for name in step.drop:
            self._drop(node, rooms, name.encode())
        return Confirm(step.generation)

    def remove(self, node: N) -> None:
        """Forget `node` and everything that it wanted."""
        self._generations.pop(node, None)
        for room in self._rooms.pop(node, ()):
            self._unlink(node, room)

    def _add(self, node: N, rooms: set[bytes], room: bytes) -> None:
        rooms.add(room)
        if (nodes := self._nodes.get(room)) is not None:
            nodes[node] = None
            return
        self._nodes[room] = {node: None}
        if room.startswith(HOT_MARK):
            self._hot_keys += 1
            self.hot.begin(room)
        self._turned(room, True)

    def _drop(self, node: N, rooms: set[bytes], room: bytes) -> None:
        if room in rooms:
            rooms.remove(room)
            self._unlink(node, room)

    def _unlink(self, node: N, room: bytes) -> None:
        nodes = self._nodes[room]
        del nodes[node]
        if not nodes:
            del self._nodes[room]
            if room.startswith(HOT_MARK):
                self._hot_keys -= 1
                self.hot.end(room)
            self._turned(room, False)
