"""The table `notifications`: taking what is due, and saying what has come of it.

A row is taken by moving `due` to when the claim ends: nobody else finds it due before. That very
`due`, together with the message's number, is the fence: what has come of it is written only where
both still stand, so neither a claim that has run out nor a newer message is written over.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, update

from backends.database.schema import devices, notifications

CLAIM_MS = 120_000
"""Longer than sending can take: two instances send the same only when one of them stands still."""
COUNTED = 10_000
_N = notifications.c


class Row(NamedTuple):
    """The newest message of a conversation of which `uid` may have to be notified; `n` is its
    number in the mailbox (0: of a hot group), `claim` the `due` that holds the row."""

    uid: str
    conv: str
    seq: int
    n: int
    mentioned: bool
    attempts: int
    claim: int


class Token(NamedTuple):
    """A device with the token that its provider knows it by."""

    device: str
    provider: str
    token: str


class Conclusion(NamedTuple):
    """What has come of a row: done (`due_ms` `None`), or due again then; tokens that are gone."""

    row: Row
    due_ms: int | None = None
    attempts: int = 0
    gone: tuple[Token, ...] = ()


def any_due(connection: Connection, now_ms: int) -> bool:
    """Say whether a row is due."""
    query = select(_N.due).where(_N.due <= now_ms).limit(1)
    return connection.execute(query).first() is not None


def count(connection: Connection) -> int:
    """Return how many rows there are, at most `COUNTED`."""
    some = select(_N.due).limit(COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def claim(connection: Connection, now_ms: int, most: int) -> list[Row]:
    """Take at most `most` rows that are due, the longest due first."""
    until = now_ms + CLAIM_MS
    query = select(_N.uid, _N.conv, _N.seq, _N.n, _N.mentioned, _N.attempts)
    due = query.where(_N.due <= now_ms).order_by(_N.due).limit(most)
    found = connection.execute(due.with_for_update(skip_locked=True)).all()
    rows = [Row(*each, until) for each in found]
    if rows:
        connection.execute(_CLAIM, [_key(row) | {"until": until} for row in rows])
    return rows


def conclude(connection: Connection, conclusions: Sequence[Conclusion]) -> list[bool]:
    """Write what has come of rows, in one transaction; `True` for each."""
    done = [_fence(each.row) for each in conclusions if each.due_ms is None]
    again = [_fence(each.row) | _due(each) for each in conclusions if each.due_ms is not None]
    overtaken = [_fence(each.row) | _due(each) for each in conclusions]
    gone = [
        {"its_uid": each.row.uid, **{f"its_{k}": v for k, v in token._asdict().items()}}
        for each in conclusions
        for token in each.gone
    ]
    for statement, values in (
        (_DONE, done),
        (_AGAIN, again),
        (_OVERTAKEN, overtaken),
        (_GONE, gone),
    ):
        if values:
            connection.execute(statement, values)
    return [True] * len(conclusions)


def _key(row: Row) -> dict[str, Any]:
    return {"its_uid": row.uid, "its_conv": row.conv}


def _due(conclusion: Conclusion) -> dict[str, Any]:
    return {"its_due": conclusion.due_ms or 0, "its_attempts": conclusion.attempts}


def _fence(row: Row) -> dict[str, Any]:
    return _key(row) | {"its_seq": row.seq, "its_claim": row.claim}


_OF_USER = (_N.uid == bindparam("its_uid")) & (_N.conv == bindparam("its_conv"))
_CLAIMED = _OF_USER & (_N.due == bindparam("its_claim"))
_FENCED = _CLAIMED & (_N.seq == bindparam("its_seq"))
_CLAIM = update(notifications).where(_OF_USER).values(due=bindparam("until"))
_DONE = delete(notifications).where(_FENCED)
_AGAIN = (
    update(notifications)
    .where(_FENCED)
    .values(due=bindparam("its_due"), attempts=bindparam("its_attempts"))
)
# A newer message that came into the row meanwhile does not wait for the end of the claim.
_OVERTAKEN = (
    update(notifications)
    .where(_CLAIMED & (_N.seq != bindparam("its_seq")))
    .values(due=bindparam("its_due"), attempts=bindparam("its_attempts"))
)
_D = devices.c
_GONE = (
    update(devices)
    .where(
        (_D.uid == bindparam("its_uid"))
        & (_D.device == bindparam("its_device"))
        & (_D.provider == bindparam("its_provider"))
        & (_D.token == bindparam("its_token"))
    )
    .values(provider="", token="")
)
