"""What nodes say to the relay itself: interest, pings, and that they have left. Pure."""

from collections import Counter

from msgspec.structs import replace

from proto.envelopes import Envelope, Kind, encode
from proto.headers import decode_interest, encode_header
from proto.priorities import Priority
from relay.delivery import Touched
from relay.interest import flaw as interest_flaw
from relay.peer import Peer
from relay.regions.crossing import Crossing
from relay.table import SubscriptionTable


class Control:
    """Takes it in, and answers on the lane by which it came."""

    def __init__(
        self,
        table: SubscriptionTable[Peer],
        crossing: Crossing,
        drops: Counter[tuple[str, Priority]],
    ) -> None:
        self._table = table
        self._crossing = crossing
        self._drops = drops

    def interest(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        """Take a step of a node's interest into the table, as far as it may want that."""
        step = decode_interest(envelope.header)
        add = [key for key in step.add if interest_flaw(key) is None]
        if len(add) < len(step.add):
            self._drops["bad_interest", Priority(envelope.priority)] += len(step.add) - len(add)
            step = replace(step, add=add)
        if peer.role == "relay":
            confirm, forbidden = self._crossing.step(peer, step)
            if forbidden:
                self._drops["forbidden_interest", Priority(envelope.priority)] += forbidden
        else:
            confirm = self._table.step(peer, step)
        header = encode_header(confirm)
        _answer(peer, Kind.CONFIRM, envelope.priority, header, b"", touched)

    def ping(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        """Send a PING's bytes back."""
        _answer(peer, Kind.PONG, envelope.priority, b"", envelope.body, touched)

    def left(self, peer: Peer, envelope: Envelope, _: Touched) -> None:
        """Note that nothing more comes by this lane of the node."""
        peer.left.add(envelope.priority)


def _answer(
    peer: Peer, kind: Kind, lane: int, header: bytes, body: bytes, touched: Touched
) -> None:
    peer.lanes[lane].control(encode(kind, Priority(lane), header=header, body=body))
    touched[peer.lanes[lane]] = None
