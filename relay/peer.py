"""The nodes that are connected: who sits on which link. Pure: links are only compared."""

from collections.abc import Callable
from typing import NamedTuple

from backends.links.interface import Link
from proto.headers import Hello, NodeRole
from proto.priorities import Priority
from relay.lanes import PeerLane


class Peer:
    """One connection of one node: three lanes that come and go together."""

    def __init__(self, hello: Hello) -> None:
        self.node = hello.node
        self.role: NodeRole = hello.role
        self.region = hello.region
        self.incarnation = hello.incarnation
        self.lanes: dict[int, PeerLane] = {}
        self.left: set[int] = set()
        """Lanes by which nothing more comes from the node, answers excepted."""

    @property
    def has_left(self) -> bool:
        """Whether the node has taken this relay off its carriers and has nothing on its way."""
        return len(self.left) == len(Priority)

    @property
    def seat_name(self) -> str:
        """What there is one connection of: relays elsewhere may be named as nodes here."""
        return _seat_name(self)

    @property
    def complete(self) -> bool:
        """Whether every lane has said hello: only then anything is sent to the node."""
        return len(self.lanes) == len(Priority)


class Seat(NamedTuple):
    """Whose link it is, and which lane of theirs."""

    peer: Peer
    lane: PeerLane


class Roster:
    """Seats by link and complete nodes by name."""

    def __init__(self, make_lane: Callable[[Priority, Link], PeerLane]) -> None:
        self._make_lane = make_lane
        self._seats: dict[Link, Seat] = {}
        self._peers: dict[str, Peer] = {}
        self.replaced = 0
        """Connections that gave way to a newer one of the same node."""

    @property
    def peers(self) -> list[Peer]:
        """All connections, complete or not."""
        return list(self._peers.values())

    def seat(self, link: Link) -> Seat | None:
        """Return whose link it is, or `None` for a stranger's."""
        return self._seats.get(link)

    def rival(self, hello: Hello) -> Peer | None:
        """Return the connection that has to go before `hello` can sit down: an earlier life of the
        node, or the same one whose end has not been noticed yet."""
        peer = self._peers.get(_seat_name(hello))
        if peer is None:
            return None
        same = (peer.incarnation, peer.role) == (hello.incarnation, hello.role)
        return None if same and hello.lane not in peer.lanes else peer

    def sit(self, link: Link, hello: Hello) -> Peer:
        """Give the link to the node that says hello; `rival` must be gone."""
        peer = self._peers.setdefault(_seat_name(hello), Peer(hello))
        lane = self._make_lane(Priority(hello.lane), link)
        peer.lanes[hello.lane] = lane
        self._seats[link] = Seat(peer, lane)
        return peer

    def remove(self, peer: Peer) -> None:
        """Forget the connection and its seats."""
        for lane in peer.lanes.values():
            del self._seats[lane.link]
        if self._peers.get(peer.seat_name) is peer:
            del self._peers[peer.seat_name]


def _seat_name(who: Hello | Peer) -> str:
    return f"{who.region}/{who.node}" if who.role == "relay" else who.node
