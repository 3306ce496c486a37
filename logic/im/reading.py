"""What one transaction does for the reads that share it: move the positions, find who is told."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from backends.database import read_positions
from backends.database.read_positions import Position
from backends.database.schema import conversations
from backends.database.standings import Standings, members_of, read_standings
from proto.conversations import ConversationKind, kind_of, peer
from proto.errors import ErrorCode, RequestError


class Reading(NamedTuple):
    """`uid` says that it has read `conv` up to `seq`."""

    uid: str
    conv: str
    seq: int

    @property
    def whose(self) -> tuple[str, str]:
        """Whose position it is, of which conversation."""
        return self.uid, self.conv


class HasRead(NamedTuple):
    """Up to where the user has read now; `told`: whom to tell of it, nobody if it was known."""

    seq: int
    told: tuple[str, ...] = ()


Outcome = HasRead | RequestError


class _View(NamedTuple):
    """What the database says about some readings, before any of them."""

    heads: dict[str, int]
    standings: Standings
    positions: dict[tuple[str, str], int]
    counts: dict[tuple[str, int], int]


def commit(
    connection: Connection, readings: Sequence[Reading], receipts_members: int
) -> list[Outcome]:
    """Move the positions forward, and return for each reading what became of it.

    Members of groups of at most `receipts_members` are told.
    """
    view = _view(connection, readings)
    refused = {each: error for each in readings if (error := _refusal(each, view))}
    moved = _furthest([each for each in readings if each not in refused], view)
    _move(connection, list(moved.values()), view)
    told = _told(connection, list(moved.values()), view, receipts_members)
    return [
        refused[each] if each in refused else _has_read(each, view, moved, told)
        for each in readings
    ]


def _view(connection: Connection, readings: Sequence[Reading]) -> _View:
    c = conversations.c
    convs = sorted({each.conv for each in readings})
    heads = connection.execute(select(c.conv, c.last_seq).where(c.conv.in_(convs)))
    return _View(
        {conv: head for conv, head in heads},  # noqa: C416 - rows are no pairs to mypy
        read_standings(connection, [(each.conv, each.uid) for each in readings]),
        read_positions.read_positions(connection, {each.whose for each in readings}),
        read_positions.counts_of(connection, {(each.conv, each.seq) for each in readings}),
    )


def _refusal(reading: Reading, view: _View) -> RequestError | None:
    is_group = kind_of(reading.conv) is ConversationKind.GROUP
    member = view.standings.members.get((reading.conv, reading.uid))
    # Who has left keeps a session, and may clear what it has not read.
    if is_group and member is None and reading.whose not in view.positions:
        return RequestError(ErrorCode.NOT_MEMBER)
    end = view.heads.get(reading.conv, 0)
    if reading.seq > end:
        return RequestError(ErrorCode.BAD_CURSOR, f"seq: the conversation ends with {end}")
    return None


def _furthest(readings: Sequence[Reading], view: _View) -> dict[tuple[str, str], Position]:
    furthest: dict[tuple[str, str], Position] = {}
    for each in sorted(readings, key=lambda reading: reading.seq):
        if each.seq > view.positions.get(each.whose, 0):
            count = view.counts.get((each.conv, each.seq), 0)
            furthest[each.whose] = Position(each.uid, each.conv, each.seq, count)
    return furthest


def _move(connection: Connection, moved: Sequence[Position], view: _View) -> None:
    read_positions.move(connection, moved)
    read_positions.tell_peers(
        connection, [each for each in moved if each.conv in view.standings.friends]
    )


def _told(
    connection: Connection, moved: Sequence[Position], view: _View, receipts_members: int
) -> Mapping[str, Sequence[str]]:
    """Return by conversation who may know how far its users have read."""
    told: dict[str, Sequence[str]] = {}
    groups = set()
    for uid, conv, _, _ in moved:
        member = view.standings.members.get((conv, uid))
        if conv in view.standings.friends:
            told[conv] = (uid, peer(conv, uid))
        elif member and member.present and member.member_count <= receipts_members:
            groups.add(conv)
    return told | members_of(connection, groups)


def _has_read(
    reading: Reading,
    view: _View,
    moved: Mapping[tuple[str, str], Position],
    told: Mapping[str, Sequence[str]],
) -> HasRead:
    position = moved.get(reading.whose)
    if position is None:
        return HasRead(view.positions.get(reading.whose, 0))
    if position.seq != reading.seq:
        return HasRead(position.seq)
    # The other devices of the reader itself are told in any case.
    return HasRead(position.seq, tuple({reading.uid, *told.get(reading.conv, ())}))
