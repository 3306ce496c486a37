"""What becomes of a hot topic's records: a ROOM envelope for each node that asked for it. Pure."""

from collections.abc import Callable, Sequence

from proto.envelopes import BadEnvelopeError, Kind, encode
from proto.headers import RoomHeader, encode_header
from proto.heat import hot_key
from proto.priorities import Priority
from proto.records import Record
from relay.hot.counters import HotCounters
from relay.lanes import PeerLane
from relay.peer import Peer
from relay.table import SubscriptionTable

Elsewhere = Callable[[bytes, int], Sequence[Callable[[bytes], object]]]
"""Returns what puts a copy on its way to each other region that wants a key, on a lane."""


def copy_out(
    records: Sequence[Record],
    priority: Priority,
    table: SubscriptionTable[Peer],
    elsewhere: Elsewhere,
    counters: HotCounters,
) -> dict[PeerLane, None]:
    """Put a copy of each record into the lane of each node that wants it, and return those lanes.

    Those of other regions get theirs by one relay each, as in the ordinary way. What nobody wants
    is some other relay's. Order within a room is that of `records`.
    """
    touched: dict[PeerLane, None] = {}
    counters.records[priority] += len(records)
    for record in records:
        header = record.header
        key = hot_key(header.pool, header.room).encode()
        peers, far = table.receivers(key), elsewhere(key, priority)
        envelope = _envelope(record, priority) if peers or far else b""
        if envelope is None:
            counters.bad_records[priority] += 1
            continue
        for peer in peers:
            lane = peer.lanes[priority]
            lane.gathered.append(envelope)
            touched[lane] = None
        for append in far:
            append(envelope)
        counters.forwarded[priority] += bool(peers or far)
        counters.copies[priority] += len(peers) + len(far)
    return touched


def _envelope(record: Record, priority: Priority) -> bytes | None:
    header = record.header
    if header.kind != "room":
        return None
    packed = encode_header(RoomHeader(header.epoch, header.seq, header.ts_ms, header.trace))
    try:
        return encode(Kind.ROOM, priority, header.room.encode(), packed, record.body)
    except BadEnvelopeError:
        return None
