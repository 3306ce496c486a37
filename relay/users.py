"""Messages to users and to everybody: to the nodes that they are connected to, here and in other
regions. Pure."""

from collections.abc import Mapping

from proto.envelopes import Envelope, Kind, encode
from proto.headers import UsersHeader, decode_spread, encode_header
from proto.priorities import Priority
from relay.delivery import Delivery, Touched
from relay.peer import Peer
from relay.regions.crossing import Crossing


class Users:
    """USERS go to one node or to all `receivers`; SPREAD becomes USERS for each node it names."""

    def __init__(
        self, receivers: Mapping[Peer, None], crossing: Crossing, delivery: Delivery
    ) -> None:
        self._receivers = receivers
        self._crossing = crossing
        self._delivery = delivery

    def users(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        """Send a USERS to its node, or without one to everybody."""
        if envelope.key:
            node = envelope.key.decode()
            self._delivery.to_node(node, envelope.priority, envelope.raw, touched)
            return
        self.everybody(peer, envelope, touched)

    def everybody(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        """Send to every node with clients, here and, unless it came from there, elsewhere."""
        for receiver in self._receivers:
            self._delivery.put(receiver, envelope.priority, envelope.raw, touched)
        if peer.role != "relay":
            self._crossing.to_every_region(envelope)

    def spread(self, _: Peer, envelope: Envelope, touched: Touched) -> None:
        """Send each node that a SPREAD names a USERS with its own users."""
        header, body = decode_spread(envelope.header), envelope.body
        lane = Priority(envelope.priority)
        for node, uids in header.nodes.items():
            seqs = header.seqs.get(node, [])
            users = encode_header(UsersHeader(header.id, uids, header.ts_ms, header.trace, seqs))
            raw = encode(Kind.USERS, lane, node.encode(), users, body)
            region = header.regions.get(node)
            if region is None:
                self._delivery.to_node(node, lane, raw, touched)
            elif not self._crossing.to_region(region, node, lane, raw):
                self._delivery.drops["region_unreachable", lane] += 1
