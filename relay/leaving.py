"""A relay takes its leave: its nodes use other carriers, and it ends when nothing waits.

1. It says LEAVING to each node, those that come later included. A node takes it off its carriers at
   once, waits until all that it had for this relay is sent and all that it asked by it is answered,
   and says LEAVING on each lane.
2. When every node has, and every relay of another region, and no request is without its answer,
   nothing can come any more but pings. Then each lane to each node is waited for until it is empty
   and the node has consumed it all.
3. What its links to other regions still have for those is sent.

So nothing is lost and nothing has to be asked for again. A node that goes silent on the way is cut
as always, and waited for no longer.
"""

from collections.abc import Callable, Collection

import trio

from mesh.uplinks import Uplinks
from proto.envelopes import Kind, encode
from proto.priorities import Priority
from relay.forwarding import Forwarding
from relay.lanes import PeerLane
from relay.peer import Peer

POLL_S = 0.005
_LEAVING = encode(Kind.LEAVING, Priority.URGENT)


class Leaving:
    """The leave that a relay takes of its nodes; `flush` sends what waits on a lane, and `links`
    are those to other regions."""

    def __init__(
        self,
        forwarding: Forwarding,
        flush: Callable[[PeerLane], None],
        links: Collection[Uplinks],
    ) -> None:
        self._forwarding = forwarding
        self._flush = flush
        self._links = links
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether the relay takes its leave."""
        return self._begun

    async def run(self) -> None:
        """Tell every node, and wait until nothing waits for anybody."""
        self._begun = True
        for peer in self._peers():
            self._tell(peer)
        while not all(peer.has_left for peer in self._peers()) or self._unanswered():
            await trio.sleep(POLL_S)
        for peer in self._peers():
            for lane in peer.lanes.values():
                while peer in self._peers() and (lane.depth or lane.link.in_flight):
                    await trio.sleep(POLL_S)

        for link in self._links:
            await link.drained()

    def joined(self, peer: Peer) -> None:
        """Tell a node that has come just now, if the leave has begun."""
        if self._begun:
            self._tell(peer)

    def _peers(self) -> list[Peer]:
        others = self._forwarding.crossing.neighbours.peers
        return [*self._forwarding.peers.values(), *others]

    def _unanswered(self) -> int:
        here, elsewhere = self._forwarding.admission, self._forwarding.crossing.requests
        return len(here) + sum(elsewhere.values())

    def _tell(self, peer: Peer) -> None:
        lane = peer.lanes[Priority.URGENT]
        lane.control(_LEAVING)
        self._flush(lane)
