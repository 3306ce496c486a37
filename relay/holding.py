"""Holding back senders: when the relay itself is behind, the bus is to keep the backlog.

When at least half of the receiving nodes are behind on a lane, the relay itself is: then it gives
routers no new credit on that lane until they have caught up. Fewer than half are slow nodes, which
cost the others nothing; nor does a node that has stopped taking batches at all.
"""

from collections.abc import Collection

import trio

from backends.links.interface import Link
from proto.priorities import Priority
from relay.forwarding import Forwarding
from relay.peer import Peer
from relay.permissions import SENDERS


class Holding:
    """The links that wait for credit because the receivers in `forwarding` are behind."""

    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding
        self._held: list[list[Link]] = [[] for _ in Priority]
        self.holds = [0 for _ in Priority]
        """How often a lane was held because the relay was behind."""

    def held(self, lane: Priority) -> bool:
        """Say whether routers get no new credit on `lane` at the moment."""
        return bool(self._held[lane])

    def hold(self, peer: Peer, lane: Priority, link: Link) -> bool:
        """Hold back the credit for a batch of `peer` if the relay is behind; says whether."""
        if peer.role not in SENDERS or not self._behind(lane):
            return False
        self.holds[lane] += not self._held[lane]
        self._held[lane].append(link)
        return True

    def let_go(self, lane: Priority) -> None:
        """Give the credit that was held back on `lane`, if the relay is not behind any longer."""
        if self._held[lane] and not self._behind(lane):
            held, self._held[lane] = self._held[lane], []
            for link in held:
                link.consumed()

    def hot_behind(self, lane: Priority, shard: int) -> bool:
        """Say whether those who take the hot topics of `shard` are behind as a whole."""
        return _are_behind(lane, self._forwarding.hot_receivers(shard))

    def _behind(self, lane: Priority) -> bool:
        return _are_behind(lane, self._forwarding.receivers)


def _are_behind(lane: Priority, receivers: Collection[Peer]) -> bool:
    """Say whether at least half of the receivers are behind: then it is not a slow node."""
    now = trio.current_time()
    behind = sum(peer.lanes[lane].behind(now) for peer in receivers)
    return behind * 2 >= max(1, len(receivers))
