"""Where each envelope goes: by kind and key alone, its bytes as they are. No I/O.

Envelopes are put into the receivers' lanes (`PeerLane.gathered`); the shell has the lanes that
`Forwarding.batch` returns absorb and send, so that each gets one batch for one that came.
"""

import struct
from collections.abc import Callable, Sequence

import msgspec

from proto.envelopes import PREFIX_BYTES, BadEnvelopeError, Envelope, Kind
from proto.errors import ErrorCode
from proto.headers import heads_cross
from proto.priorities import Priority
from proto.records import Record
from relay.control import Control
from relay.delivery import Delivery, Touched
from relay.hot.copies import copy_out
from relay.hot.counters import HotCounters
from relay.hot.wanted import HOT_MARK
from relay.peer import Peer
from relay.permissions import MAY_SEND, RECEIVERS
from relay.regions.crossing import Crossing, one_region
from relay.requests import Requests
from relay.table import SubscriptionTable
from relay.users import Users

_PREFIX = struct.Struct("!IBBHH")
_LENGTH_BYTES = 4
_BATCH_START_BYTES = 2
_KINDS = frozenset(map(int, Kind))
_ROOM, _HEADS = int(Kind.ROOM), int(Kind.HEADS)

Append = Callable[[bytes], object]


class Forwarding:
    """Who is connected, who wants what, and the way of each envelope between them."""

    def __init__(self, max_outstanding: int, crossing: Crossing | None = None) -> None:
        self.crossing = crossing or one_region()
        self.table: SubscriptionTable[Peer] = SubscriptionTable(
            self.crossing.wishes.changed, self.crossing.hot
        )
        self._delivery = Delivery()
        self._requests = Requests(max_outstanding, self.crossing, self._delivery)
        self.admission = self._requests.admission
        self.peers = self._delivery.peers
        self.receivers: dict[Peer, None] = {}
        self.drops = self._delivery.drops
        """Envelopes that went nowhere, by reason and lane."""
        self.hot = HotCounters()
        self._now = 0.0
        users = Users(self.receivers, self.crossing, self._delivery)
        control = Control(self.table, self.crossing, self.drops)
        self._handlers = {
            int(Kind.HEADS): self._heads,
            int(Kind.USERS): users.users,
            int(Kind.SPREAD): users.spread,
            int(Kind.EVERYBODY): users.everybody,
            int(Kind.KICK): users.everybody,
            int(Kind.REQUEST): self._request,
            int(Kind.REPLY): self._requests.reply,
            int(Kind.INTEREST): control.interest,
            int(Kind.PING): control.ping,
            int(Kind.LEAVING): control.left,
        }

    def reconfigured(self, max_outstanding: int) -> None:
        """Have another bound of requests from now on."""
        self.admission.limit = max_outstanding
        self.crossing.reconfigured(max_outstanding)

    def join(self, peer: Peer) -> None:
        """Take in a node whose lanes are complete."""
        if peer.role == "relay":
            self.crossing.neighbours.join(peer)
            self.relays_changed(peer.region)
            return
        self.peers[peer.node] = peer
        if peer.role in RECEIVERS:
            self.receivers[peer] = None
        if peer.role == "logic":
            self.admission.join(peer)

    def leave(self, peer: Peer) -> Touched:
        """Take a node out; returns the lanes with answers for those whose requests it leaves."""
        if peer.role == "relay":
            self.crossing.neighbours.leave(peer)
            return self.relays_changed(peer.region)
        if self.peers.get(peer.node) is peer:
            del self.peers[peer.node]
        self.receivers.pop(peer, None)
        self.table.remove(peer)
        touched: Touched = {}
        for left in self.admission.leave(peer):
            self._requests.refuse(left, ErrorCode.UNAVAILABLE, touched)
        return touched

    def relays_changed(self, region: str) -> Touched:
        """Note that relays of another region have come or gone, in either direction; returns the
        lanes with answers for those whose requests they leave."""
        touched: Touched = {}
        for left in self.crossing.relays_changed(region):
            self._requests.refuse(left, self.crossing.loss(region), touched)
        return touched

    def batch(self, peer: Peer, lane: Priority, batch: bytes, now: float) -> tuple[Touched, int]:
        """Forward a batch; returns the touched lanes and how many envelopes there were.

        Raises `BadEnvelopeError` at the first that can't be read; those before it are forwarded.
        This loop is what a relay's time goes into. It cuts envelopes itself because objects and
        generators would double the cost of each.
        """
        self._now = now
        touched: Touched = {}
        routes: dict[bytes, list[Append]] = {}
        by_room = self._by_room(peer)
        unpack, total, start = _PREFIX.unpack_from, len(batch), _BATCH_START_BYTES
        count = unwanted = others = 0
        while start < total:
            try:
                length, kind, _, key_length, header_length = unpack(batch, start)
            except struct.error:
                raise BadEnvelopeError("the batch ends inside an envelope's prefix") from None
            end = start + _LENGTH_BYTES + length
            key_start = start + PREFIX_BYTES
            key_end = key_start + key_length
            if end > total or key_end + header_length > end:
                raise BadEnvelopeError("an envelope's lengths do not fit into the batch")
            raw, key = batch[start:end], batch[key_start:key_end]
            start = end
            count += 1
            if kind in by_room:
                route = routes.get(key)
                if route is None:
                    route = routes[key] = self._route(peer, key, lane, touched)
                for append in route:
                    append(raw)
                unwanted += not route
            else:
                ends = key_end - key_start + PREFIX_BYTES
                envelope = Envelope(raw, kind, lane, key, ends, ends + header_length)
                others += 1
                self._other(peer, envelope, touched)
        self._count(peer, lane, count - others, unwanted)
        return touched, count

    def from_bus(self, priority: Priority, records: Sequence[Record]) -> Touched:
        """Copy a hot topic's records to the nodes that want them, and once to each other region;
        returns the touched lanes."""
        return copy_out(records, priority, self.table, self.crossing.copies, self.hot)

    def hot_receivers(self, shard: int) -> set[Peer]:
        """Return the nodes that want something of a shard of hot topics."""
        return {peer for key in self.table.hot.keys(shard) for peer in self.table.receivers(key)}

    def expire(self, now: float) -> None:
        """Give back the places of requests that nobody waits for any longer."""
        expired = self.admission.expire(now) + self.crossing.expire(now)
        if expired:
            self.drops["request_expired", Priority.NORMAL] += expired

    def _count(self, peer: Peer, lane: Priority, by_room: int, unwanted: int) -> None:
        if unwanted:
            self.drops["nobody_interested", lane] += unwanted
        if peer.role == "relay":
            self.crossing.came[peer.region, lane] += by_room

    def _by_room(self, peer: Peer) -> tuple[int, ...]:
        """Return the kinds that go by their key alone; where heads may go on to other regions,
        their header has to be looked at, and where they come from one, messages are counted."""
        if _ROOM not in MAY_SEND[peer.role]:
            return ()
        if peer.role == "relay" or self.crossing.neighbours.interested:
            return (_ROOM,)
        return (_ROOM, _HEADS)

    def _route(self, peer: Peer, room: bytes, lane: Priority, touched: Touched) -> list[Append]:
        """Return where a room's messages go: to those who want it, and once to each other region,
        but never from one other region to the next."""
        if room.startswith(HOT_MARK):
            return []  # what goes the hot way comes from the bus, and from nobody else
        if peer.role != "relay":
            return self._local(room, lane, touched) + self.crossing.copies(room, lane)
        if self.crossing.wishes.wanted_of(peer.region, room):
            return self._local(room, lane, touched)
        return []

    def _local(self, room: bytes, lane: Priority, touched: Touched) -> list[Append]:
        lanes = [peer.lanes[lane] for peer in self.table.receivers(room)]
        touched.update(dict.fromkeys(lanes))
        return [one.gathered.append for one in lanes]

    def _heads(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        key, lane = envelope.key, Priority(envelope.priority)
        if peer.role == "relay":
            route = self._route(peer, key, lane, touched)
        else:
            far = self.crossing.heads(key, lane) if heads_cross(envelope.header) else []
            route = self._local(key, lane, touched) + far
        for append in route:
            append(envelope.raw)
        if not route:
            self.drops["nobody_interested", lane] += 1

    def _other(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        handler = self._handlers.get(envelope.kind)
        if handler is None or envelope.kind not in MAY_SEND[peer.role]:
            reason = "forbidden" if envelope.kind in _KINDS else "unknown_kind"
            self.drops[reason, Priority(envelope.priority)] += 1
            return
        try:
            handler(peer, envelope, touched)
        except (msgspec.MsgspecError, BadEnvelopeError, UnicodeDecodeError):
            self.drops["bad_header", Priority(envelope.priority)] += 1

    def _request(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        self._requests.request(peer, envelope, self._now, touched)
