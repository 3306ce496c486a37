"""How messages come into conversations: numbered and kept, each with its outbox row.

All of it happens in the caller's transaction; several messages of several conversations share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from backends.database.dialects import insert_or
from backends.database.schema import conversations, diffusions, messages, outbox
from proto.conversations import message_id

Row = dict[str, Any]
_MID_KEY_BYTES = 16

# Made once: making a statement takes longer than running it for a message or two.
_FIND = select(
    messages.c.mid_key, messages.c.conv, messages.c.seq, messages.c.ts, messages.c.count
).where(messages.c.mid_key.in_(bindparam("keys", expanding=True)))
_READ_HEADS = (
    select(
        conversations.c.conv,
        conversations.c.last_seq,
        conversations.c.last_count,
        conversations.c.last_ts,
    )
    .where(conversations.c.conv.in_(bindparam("convs", expanding=True)))
    # In one order for all, so that two transactions do not wait for each other.
    .order_by(conversations.c.conv)
    .with_for_update()
)
_INSERT_MESSAGES = insert(messages)
_INSERT_OUTBOX = insert(outbox)
_MOVE_HEADS = (
    update(conversations)
    .where(conversations.c.conv == bindparam("its_conv"))
    .values(last_seq=bindparam("seq"), last_count=bindparam("count"), last_ts=bindparam("its_ts"))
)


class NewMessage(NamedTuple):
    """A message without a number. `body` is a JSON object; `counted`: it makes a session unread."""

    conv: str
    sender: str
    name: str
    kind: str
    mid: str
    body: bytes
    counted: bool = True


Keyed = tuple[bytes, NewMessage]
"""A message and its `mid_key`."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a message stands; `again`: it stood there before, and nothing was done."""

    conv: str
    seq: int
    ts_ms: int
    count: int
    again: bool

    @property
    def id(self) -> str:
        """The message's id."""
        return message_id(self.conv, self.seq)


class Head:
    """The last number, the last count and the last time of a conversation."""

    __slots__ = ("count", "seq", "ts")

    def __init__(self, seq: int, count: int, ts: int) -> None:
        self.seq, self.count, self.ts = seq, count, ts


def append(connection: Connection, new: Sequence[NewMessage], now_ms: int) -> list[Appended]:
    """Append `new` in order, and return where each stands.

    One whose (conv, sender, mid) is known, from before or earlier in `new`, is not appended again.
    Times never go back in a conversation, whatever the clock says.
    """
    keyed = [(mid_key(each.conv, each.sender, each.mid), each) for each in new]
    # The heads first: what others commit before they let go of them is found.
    heads = lock_heads(connection, sorted({each.conv for each in new}))
    known = find(connection, [key for key, _ in keyed])
    return place(connection, keyed, known, heads, now_ms)


def place(
    connection: Connection,
    keyed: Sequence[Keyed],
    known: Mapping[bytes, Appended],
    heads: Mapping[str, Head],
    now_ms: int,
) -> list[Appended]:
    """Append those that are not `known`, as `append` does; their conversations' `heads` are held
    by this transaction."""
    fresh = {key: each for key, each in keyed if key not in known}
    rows = [_row(key, each, heads[each.conv], now_ms) for key, each in fresh.items()]
    if rows:
        connection.execute(_INSERT_MESSAGES, rows)
        connection.execute(
            _INSERT_OUTBOX, [{"conv": r["conv"], "seq": r["seq"], "ts": now_ms} for r in rows]
        )
        _move_heads(connection, {row["conv"]: heads[row["conv"]] for row in rows})
    stand = dict(known)
    rows_by_key = {row["mid_key"]: row for row in rows}
    return [_standing(stand, key, rows_by_key) for key, _ in keyed]


def find(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Appended]:
    """Return the messages that have these `mid_key`s."""
    found = connection.execute(_FIND, {"keys": keys})
    return {bytes(key): Appended(conv, seq, ts, n, True) for key, conv, seq, ts, n in found}


def mid_key(conv: str, sender: str, mid: str) -> bytes:
    """Return what names a message as its sender's client does, in 16 bytes (BLAKE2b)."""
    name = "\n".join((conv, sender, mid)).encode()
    return blake2b(name, digest_size=_MID_KEY_BYTES).digest()


def lock_heads(connection: Connection, convs: Sequence[str]) -> dict[str, Head]:
    """Return the heads of `convs` (sorted), made where they are missing, and hold them until the
    transaction ends: nobody else numbers a message of theirs meanwhile."""
    heads = read_heads(connection, convs)
    missing = [conv for conv in convs if conv not in heads]
    if missing:
        rows = [{"conv": conv} for conv in missing]
        for table in (conversations, diffusions):
            connection.execute(insert_or(connection, table).on_conflict_do_nothing(), rows)
        heads = read_heads(connection, convs)
    return heads


def read_heads(connection: Connection, convs: Sequence[str]) -> dict[str, Head]:
    """Return the heads of those of `convs` that are there, and hold them as `lock_heads` does."""
    if not convs:
        return {}
    rows = connection.execute(_READ_HEADS, {"convs": convs})
    return {conv: Head(seq, count, ts) for conv, seq, count, ts in rows}


def _standing(stand: dict[bytes, Appended], key: bytes, rows: dict[bytes, Row]) -> Appended:
    """Return where the message of `key` stands; from the second time on as one that stood there."""
    found = stand.get(key)
    if found is None:
        row = rows[key]
        stand[key] = found = Appended(row["conv"], row["seq"], row["ts"], row["count"], False)
        return found
    return found if found.again else replace(found, again=True)


def _row(key: bytes, new: NewMessage, head: Head, now_ms: int) -> Row:
    head.seq += 1
    head.count += new.counted
    head.ts = max(head.ts, now_ms)
    return {
        "conv": new.conv,
        "seq": head.seq,
        "mid_key": key,
        "sender": new.sender,
        "name": new.name,
        "kind": new.kind,
        "mid": new.mid,
        "ts": head.ts,
        "count": head.count,
        "recalled": False,
        "body": new.body,
    }


def _move_heads(connection: Connection, heads: dict[str, Head]) -> None:
    connection.execute(
        _MOVE_HEADS,
        [
            {"its_conv": conv, "seq": head.seq, "count": head.count, "its_ts": head.ts}
            for conv, head in heads.items()
        ],
    )
