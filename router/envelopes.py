"""Records as envelopes: what a router puts on the mesh for each way of delivery."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from proto.conversations import is_hot_stream
from proto.envelopes import MAX_HEADER_BYTES, Kind, encode
from proto.headers import (
    EverybodyHeader,
    HeadsHeader,
    RoomHeader,
    SpreadHeader,
    UsersHeader,
    encode_header,
)
from proto.ids import is_room, is_uid
from proto.priorities import BY_LABEL, Priority
from proto.records import MAX_RECORD_BODY_BYTES, MAX_UIDS_PER_RECORD, Record, RecordHeader
from router.spread import NO_NUMBERS, Numbers, split_nodes, split_uids

MAX_ID_CHARACTERS = 256
"""Of a record's id, trace and epoch, which are ASCII: what is longer is no record of ours."""

_MAX_NUMBER = 2**63

HERE: Mapping[str, str] = MappingProxyType({})
"""The regions of nodes that are all of this one."""


def flaw(record: Record) -> str | None:
    """Return why `record` can't be routed, or `None`."""
    header = record.header
    if header.priority not in BY_LABEL:
        return f"priority {header.priority[:20]!r} is none of {', '.join(BY_LABEL)}"
    if len(record.body) > MAX_RECORD_BODY_BYTES:
        return f"a body of {len(record.body)} bytes is over {MAX_RECORD_BODY_BYTES}"
    if not header.id or not all(map(_is_id, (header.id, header.trace, header.epoch))):
        return f"id is missing, or id, trace or epoch is not ASCII of up to {MAX_ID_CHARACTERS}"
    if not (0 <= header.seq < _MAX_NUMBER and 0 <= header.ts_ms < _MAX_NUMBER):
        return "seq or ts_ms is negative or too large"
    if header.kind == "room":
        fine = is_room(header.room) or is_hot_stream(header.room)
        return None if fine else "room is missing or no room's name"
    if header.kind == "users":
        return _flaw_of_uids(header.uids) or _flaw_of_seqs(header)
    if header.kind == "everybody":
        return None
    return f"kind {header.kind!r} is not for routers"


def room(record: Record) -> bytes:
    """Return the ROOM envelope of a room's record: no receivers, every interested node gets it."""
    header = record.header
    packed = encode_header(RoomHeader(header.epoch, header.seq, header.ts_ms, header.trace))
    priority = Priority.of(header.priority)
    return encode(Kind.ROOM, priority, header.room.encode(), packed, record.body)


def everybody(record: Record) -> bytes:
    """Return the EVERYBODY envelope of a record that all who are connected get."""
    header = record.header
    packed = encode_header(EverybodyHeader(header.id, header.ts_ms, header.trace))
    return encode(Kind.EVERYBODY, Priority.of(header.priority), b"", packed, record.body)


def heads(room_name: str, header: HeadsHeader, priority: Priority) -> bytes:
    """Return the HEADS envelope of a room, for the lane of `priority`."""
    return encode(Kind.HEADS, priority, room_name.encode(), encode_header(header))


def to_everyone(record: Record) -> Iterator[bytes]:
    """Yield the USERS envelopes that go to every access node, each with a part of the uids."""
    limit, numbers = MAX_HEADER_BYTES - _header_bytes(record), _numbers(record)
    for uids in split_uids(list(dict.fromkeys(record.header.uids)), limit, numbers):
        yield _users(record, uids, numbers)


def to_nodes(
    record: Record, nodes: Mapping[str, Sequence[str]], regions: Mapping[str, str] = HERE
) -> Iterator[bytes]:
    """Yield the SPREAD envelopes for one relay, each with a part of `nodes` and their uids.

    `regions` has the region of each node that is not of this one.
    """
    header, numbers = record.header, _numbers(record)
    for part in split_nodes(nodes, MAX_HEADER_BYTES - _header_bytes(record), numbers):
        seqs = {node: [numbers[uid] for uid in uids] for node, uids in part.items() if numbers}
        away = {node: regions[node] for node in part if node in regions}
        packed = encode_header(
            SpreadHeader(header.id, part, header.ts_ms, header.trace, seqs, away)
        )
        yield encode(Kind.SPREAD, Priority.of(header.priority), b"", packed, record.body)


def _users(record: Record, uids: list[str], numbers: Numbers) -> bytes:
    header = record.header
    seqs = [numbers[uid] for uid in uids] if numbers else []
    packed = encode_header(UsersHeader(header.id, uids, header.ts_ms, header.trace, seqs))
    return encode(Kind.USERS, Priority.of(header.priority), b"", packed, record.body)


def _numbers(record: Record) -> Numbers:
    header = record.header
    return dict(zip(header.uids, header.seqs, strict=True)) if header.seqs else NO_NUMBERS


def _header_bytes(record: Record) -> int:
    """Return what a USERS or SPREAD header takes besides its uids."""
    header = record.header
    return len(encode_header(UsersHeader(header.id, [], header.ts_ms, header.trace)))


def _is_id(text: str) -> bool:
    return len(text) <= MAX_ID_CHARACTERS and text.isascii()


def _flaw_of_uids(uids: Sequence[str]) -> str | None:
    if not 0 < len(uids) <= MAX_UIDS_PER_RECORD:
        return f"{len(uids)} uids: 1 to {MAX_UIDS_PER_RECORD} are allowed"
    return None if all(map(is_uid, uids)) else "a uid is malformed"


def _flaw_of_seqs(header: RecordHeader) -> str | None:
    if header.seqs and len(header.seqs) != len(header.uids):
        return f"{len(header.seqs)} seqs for {len(header.uids)} uids"
    fine = all(0 < seq < _MAX_NUMBER for seq in header.seqs)
    return None if fine else "a seq is not positive or too large"
