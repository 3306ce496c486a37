"""Envelopes into the lanes of nodes, by name. Pure."""

from collections import Counter

from proto.priorities import Priority
from relay.lanes import PeerLane
from relay.peer import Peer

Touched = dict[PeerLane, None]
"""Lanes that something was put into."""


class Delivery:
    """The nodes that are connected, and what did not reach one."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        self.drops: Counter[tuple[str, Priority]] = Counter()
        """Envelopes that went nowhere, by reason and lane."""

    def to_node(self, node: str, lane: int, raw: bytes, touched: Touched) -> None:
        """Put `raw` into the lane of `node`, or count it where there is no such node."""
        peer = self.peers.get(node)
        if peer is None:
            self.drops["no_such_node", Priority(lane)] += 1
        else:
            self.put(peer, lane, raw, touched)

    def put(self, peer: Peer, lane: int, raw: bytes, touched: Touched) -> None:
        """Put `raw` into a lane of `peer`."""
        peer.lanes[lane].gathered.append(raw)
        touched[peer.lanes[lane]] = None
