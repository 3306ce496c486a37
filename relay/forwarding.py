"""Where each envelope goes: by kind and key alone, its bytes as they are. No I/O.

Envelopes are put into the receivers' lanes (`PeerLane.gathered`); the shell has the lanes that
`Forwarding.batch` returns absorb and send, so that each gets one batch for one that came.
"""

import struct
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from proto.envelopes import PREFIX_BYTES, BadEnvelopeError, Envelope, Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import (
    ReplyHeader,
    UsersHeader,
    decode_interest,
    decode_reply,
    decode_request,
    decode_spread,
    encode_header,
)
from proto.priorities import Priority
from proto.records import Record
from relay.admission import Admission, Outstanding, Ticket
from relay.hot.copies import copy_out
from relay.hot.counters import HotCounters
from relay.hot.wanted import HOT_MARK
from relay.interest import flaw as interest_flaw
from relay.lanes import PeerLane
from relay.peer import Peer
from relay.permissions import MAY_SEND, RECEIVERS
from relay.table import SubscriptionTable

RETRY_MS = {ErrorCode.OVERLOADED: 300, ErrorCode.UNAVAILABLE: 1000}

_PREFIX = struct.Struct("!IBBHH")
_LENGTH_BYTES = 4
_BATCH_START_BYTES = 2
_KINDS = frozenset(map(int, Kind))
_ROOM, _HEADS = int(Kind.ROOM), int(Kind.HEADS)

Touched = dict[PeerLane, None]
Append = Callable[[bytes], None]


class Forwarding:
    """Who is connected, who wants what, and the way of each envelope between them."""

    def __init__(self, max_outstanding: int) -> None:
        self.table: SubscriptionTable[Peer] = SubscriptionTable()
        self.admission: Admission[Peer] = Admission(max_outstanding)
        self.peers: dict[str, Peer] = {}
        self.receivers: dict[Peer, None] = {}
        self.drops: Counter[tuple[str, Priority]] = Counter()
        """Envelopes that went nowhere, by reason and lane."""
        self.hot = HotCounters()
        self._now = 0.0
        self._handlers = {
            int(Kind.USERS): self._users,
            int(Kind.SPREAD): self._spread,
            int(Kind.REQUEST): self._request,
            int(Kind.REPLY): self._reply,
            int(Kind.INTEREST): self._interest,
            int(Kind.PING): self._ping,
            int(Kind.LEAVING): self._left,
        }

    def join(self, peer: Peer) -> None:
        """Take in a node whose lanes are complete."""
        self.peers[peer.node] = peer
        if peer.role in RECEIVERS:
            self.receivers[peer] = None
        if peer.role == "logic":
            self.admission.join(peer)

    def leave(self, peer: Peer) -> Touched:
        """Take a node out; returns the lanes with answers for those whose requests it leaves."""
        if self.peers.get(peer.node) is peer:
            del self.peers[peer.node]
        self.receivers.pop(peer, None)
        self.table.remove(peer)
        touched: Touched = {}
        for left in self.admission.leave(peer):
            self._refuse(left, ErrorCode.UNAVAILABLE, touched)
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
        by_room = (_ROOM, _HEADS) if _ROOM in MAY_SEND[peer.role] else ()
        unpack, total, start = _PREFIX.unpack_from, len(batch), _BATCH_START_BYTES
        count = unwanted = 0
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
                    route = routes[key] = self._route(key, lane, touched)
                for append in route:
                    append(raw)
                unwanted += not route
            else:
                ends = key_end - key_start + PREFIX_BYTES
                envelope = Envelope(raw, kind, lane, key, ends, ends + header_length)
                self._other(peer, envelope, touched)
        if unwanted:
            self.drops["nobody_interested", lane] += unwanted
        return touched, count

    def from_bus(self, priority: Priority, records: Sequence[Record]) -> Touched:
        """Copy a hot topic's records to the nodes that want them; returns the touched lanes."""
        return copy_out(records, priority, self.table, self.hot)

    def hot_receivers(self, shard: int) -> set[Peer]:
        """Return the nodes that want something of a shard of hot topics."""
        return {peer for key in self.table.hot.keys(shard) for peer in self.table.receivers(key)}

    def expire(self, now: float) -> None:
        """Give back the places of requests that nobody waits for any longer."""
        expired = self.admission.expire(now)
        if expired:
            self.drops["request_expired", Priority.NORMAL] += expired

    def _route(self, room: bytes, lane: Priority, touched: Touched) -> list[Append]:
        if room.startswith(HOT_MARK):
            return []  # what goes the hot way comes from the bus, and from nobody else
        lanes = [peer.lanes[lane] for peer in self.table.receivers(room)]
        touched.update(dict.fromkeys(lanes))
        return [one.gathered.append for one in lanes]

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

    def _users(self, _: Peer, envelope: Envelope, touched: Touched) -> None:
        if not envelope.key:
            for receiver in self.receivers:
                self._put(receiver, envelope.priority, envelope.raw, touched)
        else:
            self._to_node(envelope.key.decode(), envelope.priority, envelope.raw, touched)

    def _spread(self, _: Peer, envelope: Envelope, touched: Touched) -> None:
        header, body = decode_spread(envelope.header), envelope.body
        lane = Priority(envelope.priority)
        for node, uids in header.nodes.items():
            seqs = header.seqs.get(node, [])
            users = encode_header(UsersHeader(header.id, uids, header.ts_ms, header.trace, seqs))
            self._to_node(node, lane, encode(Kind.USERS, lane, node.encode(), users, body), touched)

    def _request(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        header = decode_request(envelope.header)
        if header.source != peer.node or header.incarnation != peer.incarnation:
            self.drops["forbidden", Priority(envelope.priority)] += 1
            return
        ticket = Ticket(header.source, header.incarnation, header.request)
        deadline = self._now + header.budget_ms / 1000
        instance = self.admission.place(ticket, envelope.priority, deadline)
        if isinstance(instance, Peer):
            self._put(instance, envelope.priority, envelope.raw, touched)
        else:
            refused = Outstanding(ticket, peer, envelope.priority, deadline)
            self._refuse(refused, instance, touched)

    def _reply(self, _: Peer, envelope: Envelope, touched: Touched) -> None:
        header, node = decode_reply(envelope.header), envelope.key.decode()
        if self.admission.answered(Ticket(node, header.incarnation, header.request)):
            self._to_node(node, envelope.priority, envelope.raw, touched)
        else:
            self.drops["late_reply", Priority(envelope.priority)] += 1

    def _interest(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        step = decode_interest(envelope.header)
        add = [key for key in step.add if interest_flaw(key) is None]
        if len(add) < len(step.add):
            self.drops["bad_interest", Priority(envelope.priority)] += len(step.add) - len(add)
            step = replace(step, add=add)
        confirm = self.table.step(peer, step)
        self._answer(peer, Kind.CONFIRM, envelope.priority, encode_header(confirm), b"", touched)

    def _ping(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        self._answer(peer, Kind.PONG, envelope.priority, b"", envelope.body, touched)

    def _left(self, peer: Peer, envelope: Envelope, _: Touched) -> None:
        peer.left.add(envelope.priority)

    def _answer(
        self, peer: Peer, kind: Kind, lane: int, header: bytes, body: bytes, touched: Touched
    ) -> None:
        peer.lanes[lane].control(encode(kind, Priority(lane), header=header, body=body))
        touched[peer.lanes[lane]] = None

    def _refuse(self, left: Outstanding[Peer], code: ErrorCode, touched: Touched) -> None:
        ticket, lane = left.ticket, Priority(left.lane)
        error = RequestError(code, retry_after_ms=RETRY_MS[code]).body
        header = encode_header(ReplyHeader(ticket.request, ticket.incarnation, error))
        self.drops[f"request_{code}", lane] += 1
        envelope = encode(Kind.REPLY, lane, ticket.source.encode(), header)
        self._to_node(ticket.source, lane, envelope, touched)

    def _to_node(self, node: str, lane: int, raw: bytes, touched: Touched) -> None:
        peer = self.peers.get(node)
        if peer is None:
            self.drops["no_such_node", Priority(lane)] += 1
        else:
            self._put(peer, lane, raw, touched)

    def _put(self, peer: Peer, lane: int, raw: bytes, touched: Touched) -> None:
        peer.lanes[lane].gathered.append(raw)
        touched[peer.lanes[lane]] = None
