"""What decides whether a user is notified, read for many rows at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, tuple_

from backends.database.schema import devices, hot_cursors, messages, sessions
from logic.notify.rows import Row, Token


class Facts(NamedTuple):
    """What is known of a row: when its message was said (0: it is not there), what the user has
    read, and its devices that have a token, each with whether it has acknowledged."""

    row: Row
    ts_ms: int
    read_seq: int
    muted: bool
    devices: tuple[tuple[Token, bool], ...]


class _Session(NamedTuple):
    read_seq: int
    muted: bool


_NO_SESSION = _Session(0, False)
_Conversation = tuple[str, str]
_Position = tuple[str, str, str]


def read_facts(connection: Connection, rows: Sequence[Row]) -> list[Facts]:
    """Return the facts of each row: four queries for all of them."""
    times = _times(connection, rows)
    known = _sessions(connection, rows)
    tokens = _tokens(connection, rows)
    hot = _hot_positions(connection, rows)
    return [
        Facts(
            row,
            times.get((row.conv, row.seq), 0),
            *known.get((row.uid, row.conv), _NO_SESSION),
            tuple(
                (token, _has(row, token.device, cursor, hot)) for token, cursor in tokens[row.uid]
            ),
        )
        for row in rows
    ]


def _has(row: Row, device: str, cursor: int, hot: Mapping[_Position, int]) -> bool:
    if row.n:
        return cursor >= row.n
    return hot.get((row.uid, device, row.conv), -1) >= row.seq


def _times(connection: Connection, rows: Sequence[Row]) -> dict[tuple[str, int], int]:
    m = messages.c
    places = [(row.conv, row.seq) for row in rows]
    query = select(m.conv, m.seq, m.ts).where(tuple_(m.conv, m.seq).in_(places))
    return {(conv, seq): ts for conv, seq, ts in connection.execute(query)}


def _sessions(connection: Connection, rows: Sequence[Row]) -> dict[_Conversation, _Session]:
    s = sessions.c
    places = [(row.uid, row.conv) for row in rows]
    query = select(s.uid, s.conv, s.read_seq, s.muted).where(tuple_(s.uid, s.conv).in_(places))
    return {(uid, conv): _Session(*rest) for uid, conv, *rest in connection.execute(query)}


def _tokens(connection: Connection, rows: Sequence[Row]) -> Mapping[str, list[tuple[Token, int]]]:
    d = devices.c
    uids = {row.uid for row in rows}
    query = select(d.uid, d.device, d.provider, d.token, d.cursor)
    found: defaultdict[str, list[tuple[Token, int]]] = defaultdict(list)
    for uid, *token, cursor in connection.execute(query.where(d.uid.in_(uids), d.token != "")):
        found[uid].append((Token(*token), cursor))
    return found


def _hot_positions(connection: Connection, rows: Sequence[Row]) -> dict[_Position, int]:
    places = [(row.uid, row.conv) for row in rows if not row.n]
    if not places:
        return {}
    h = hot_cursors.c
    query = select(h.uid, h.device, h.conv, h.seq).where(tuple_(h.uid, h.conv).in_(places))
    return {(uid, device, conv): seq for uid, device, conv, seq in connection.execute(query)}
