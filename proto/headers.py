"""The typed headers of mesh envelopes, as MessagePack arrays (see `proto.envelopes.Kind`)."""

from typing import Literal

import msgspec

from proto.errors import ErrorBody
from proto.heat import Rule
from proto.moderation import Standing

NodeRole = Literal["access", "relay", "router", "logic", "probe"]
"""What a node is; `probe` is a measuring tool (`relaymesh bench hop`)."""


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """Who dials. `incarnation` is new at each start of the node's process."""

    node: str
    role: NodeRole
    region: str
    incarnation: str
    lane: int


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    """Which relay answers; a new `incarnation` means that its table is empty. `hot` says whether it
    carries the hot way."""

    relay: str
    region: str
    incarnation: str
    hot: bool = False


class Interest(msgspec.Struct, frozen=True, array_like=True):
    """A step of a node's interest. `generation` counts the steps of one link; a `full` step
    replaces all before it, any other must follow the one before without a gap."""

    generation: int
    full: bool
    add: list[str]
    drop: list[str]


class Confirm(msgspec.Struct, frozen=True, array_like=True):
    """The table holds the interest up to `generation`; `stale`: a step is missing, send a full."""

    generation: int
    stale: bool = False


class RoomHeader(msgspec.Struct, frozen=True, array_like=True):
    """Names a room message in its stream; room and priority are the envelope's key and priority."""

    epoch: str
    seq: int
    ts_ms: int
    trace: str = ""


class HeadsHeader(msgspec.Struct, frozen=True, array_like=True):
    """The last sequence number of each priority of a room, and its epoch ("" = nothing yet).

    `likes` and `online` are the room's totals, set in the answer to `Method.HEADS` alone: what a
    joiner is told until the next push of each. So is `standing`: how the room is moderated. `rule`
    is what holds for the room, if it is or was a moment ago a hot one. `crosses` marks the one copy
    that goes on to other regions.
    """

    epoch: str
    seqs: tuple[int, int, int]
    likes: int = 0
    online: int = 0
    rule: Rule | None = None
    standing: Standing | None = None
    crosses: bool = False


class UsersHeader(msgspec.Struct, frozen=True, array_like=True):
    """The receivers on the node; `id` names the message for deduplication. `seqs`, where there are
    any, are the message's numbers in the receivers' mailboxes, one for each uid."""

    id: str
    uids: list[str]
    ts_ms: int
    trace: str = ""
    seqs: list[int] = []


class SpreadHeader(msgspec.Struct, frozen=True, array_like=True):
    """The receivers by access node; the relay makes one USERS envelope for each node. `seqs` by
    access node too, as in `UsersHeader`. `regions` has the region of each node that is not of the
    sender's own."""

    id: str
    nodes: dict[str, list[str]]
    ts_ms: int
    trace: str = ""
    seqs: dict[str, list[int]] = {}
    regions: dict[str, str] = {}


class EverybodyHeader(msgspec.Struct, frozen=True, array_like=True):
    """A message to all who are connected; `id` names it for deduplication."""

    id: str
    ts_ms: int
    trace: str = ""


class KickHeader(msgspec.Struct, frozen=True, array_like=True):
    """Close the connections of `uid`, those of all devices or those of `device`, and tell the
    client the `reason`; `id` names the kick for deduplication."""

    id: str
    uid: str
    device: str = ""
    reason: str = ""
    trace: str = ""


class RequestHeader(msgspec.Struct, frozen=True, array_like=True):
    """A request upwards. `request` is unique in the asking process, `budget_ms` what is left of
    its time. `uid`, `name` and `role` come from the verified token: `role` is the sender's role in
    `room` (`proto.roles`)."""

    request: int
    source: str
    incarnation: str
    method: str
    budget_ms: int
    trace: str = ""
    uid: str = ""
    name: str = ""
    role: str = ""
    room: str = ""


class ReplyHeader(msgspec.Struct, frozen=True, array_like=True):
    """The answer to `request` of the node's `incarnation`; `error` is set where it failed."""

    request: int
    incarnation: str
    error: ErrorBody | None = None


def heads_cross(header: bytes) -> bool:
    """Say whether an encoded `HeadsHeader` has `crosses`, without reading it: that is the last of
    its array, so its last byte."""
    return header[-1:] == b"\xc3"


encode_header = msgspec.msgpack.Encoder().encode
"""Return a header's bytes."""

decode_hello = msgspec.msgpack.Decoder(Hello).decode
decode_welcome = msgspec.msgpack.Decoder(Welcome).decode
decode_interest = msgspec.msgpack.Decoder(Interest).decode
decode_confirm = msgspec.msgpack.Decoder(Confirm).decode
decode_room = msgspec.msgpack.Decoder(RoomHeader).decode
decode_heads = msgspec.msgpack.Decoder(HeadsHeader).decode
decode_users = msgspec.msgpack.Decoder(UsersHeader).decode
decode_spread = msgspec.msgpack.Decoder(SpreadHeader).decode
decode_everybody = msgspec.msgpack.Decoder(EverybodyHeader).decode
decode_kick = msgspec.msgpack.Decoder(KickHeader).decode
decode_request = msgspec.msgpack.Decoder(RequestHeader).decode
decode_reply = msgspec.msgpack.Decoder(ReplyHeader).decode
