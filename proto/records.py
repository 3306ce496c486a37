"""What travels on the bus: a record of a readable header and an opaque body.

A router or logic instance decides by the header alone; the body is the finished client frame
and is not decoded on the way.
"""

from typing import Literal

import msgspec

RecordKind = Literal["room", "users", "everybody", "likes", "conversation"]


class RecordHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of a record that routers read.

    `id` names the record for deduplication, `trace` follows it through the logs, `ts_ms` is when
    logic accepted it (Unix time). `kind` says which of the other fields matter:

    - `room`: `room`, `priority` (label), `epoch` and `seq` name the message in its room's stream.
      On a hot topic `pool` says whose, and `fence` under which rule it was numbered.
    - `users`: `uids` are the receivers, at most `MAX_UIDS_PER_RECORD` of them; `priority` is set.
      With `seqs` the body is a message for their mailboxes, in which it has these numbers.
    - `everybody`: `priority` is set; all who are connected get it.
    - `conversation`: `room` is the conversation's id and `seq` its new message; no body.
    - `likes`: `room`, and in the body the counts (see `proto.likes`).
    """

    id: str
    kind: RecordKind
    ts_ms: int
    trace: str = ""
    room: str = ""
    priority: str = ""
    epoch: str = ""
    seq: int = 0
    uids: tuple[str, ...] = ()
    seqs: tuple[int, ...] = ()
    pool: str = ""
    fence: int = 0


class Record(msgspec.Struct, frozen=True):
    """A header and the body that it describes."""

    header: RecordHeader
    body: bytes


MAX_UIDS_PER_RECORD = 1000
"""A longer list becomes several records, so that no router fans it out alone."""

MAX_RECORD_BODY_BYTES = 64 * 1024
"""A record must fit into one RocketMQ body (128 KiB) with its header, also when base64 grows it."""
