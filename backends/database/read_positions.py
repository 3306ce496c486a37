"""How far users have read: moved forward only, in the caller's transaction."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, Insert, bindparam, select, tuple_, update

from backends.database.dialects import insert_into
from backends.database.schema import messages, sessions
from proto.conversations import peer

_s, _m = sessions.c, messages.c
_READ_POSITIONS = select(_s.uid, _s.conv, _s.read_seq).where(
    tuple_(_s.uid, _s.conv).in_(bindparam("asked", expanding=True))
)
_COUNTS = select(_m.conv, _m.seq, _m.count).where(
    tuple_(_m.conv, _m.seq).in_(bindparam("asked", expanding=True))
)


class Position(NamedTuple):
    """`uid` has read `conv` up to `seq`, when `counted` messages were to be read."""

    uid: str
    conv: str
    seq: int
    counted: int


def read_positions(
    connection: Connection, asked: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return up to where each (uid, conv) that has a session has read."""
    if not asked:
        return {}
    found = connection.execute(_READ_POSITIONS, {"asked": sorted(asked)})
    return {(uid, conv): seq for uid, conv, seq in found}


def counts_of(
    connection: Connection, asked: Collection[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Return the `count` of each message (conv, seq)."""
    if not asked:
        return {}
    found = connection.execute(_COUNTS, {"asked": sorted(asked)})
    return {(conv, seq): count for conv, seq, count in found}


def move(connection: Connection, positions: Sequence[Position]) -> None:
    """Move each to its position, unless it stands beyond; one for each (uid, conv)."""
    if not positions:
        return
    connection.execute(
        _moving(connection.dialect.name),
        # In one order for all, so that two transactions do not wait for each other.
        [
            {"uid": each.uid, "conv": each.conv, "read_seq": each.seq, "read_count": each.counted}
            for each in sorted(positions)
        ],
    )


@cache
def _moving(dialect: str) -> Insert:
    insert = insert_into(dialect, sessions)
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[sessions.c.uid, sessions.c.conv],
        set_={"read_seq": new.read_seq, "read_count": new.read_count},
        where=sessions.c.read_seq < new.read_seq,
    )


_TELL_PEER = (
    update(sessions)
    .where(
        sessions.c.uid == bindparam("its_uid"),
        sessions.c.conv == bindparam("its_conv"),
        sessions.c.peer_read_seq < bindparam("seq"),
    )
    .values(peer_read_seq=bindparam("seq"))
)


def tell_peers(connection: Connection, positions: Sequence[Position]) -> None:
    """Let the other user of each chat see how far it was read."""
    rows = sorted((peer(each.conv, each.uid), each.conv, each.seq) for each in positions)
    if rows:
        connection.execute(
            _TELL_PEER, [{"its_uid": uid, "its_conv": conv, "seq": seq} for uid, conv, seq in rows]
        )
