"""Messages that can't be diffused: counted, and in the end passed over."""

from sqlalchemy import Connection, delete, insert, select, update

from backends.database.schema import dead_messages, diffusions, messages, outbox


def count_failure(connection: Connection, conv: str) -> int:
    """Count that diffusing the next message of `conv` failed; return how often it has by now."""
    where = diffusions.c.conv == conv
    failed = update(diffusions).where(where).values(failures=diffusions.c.failures + 1)
    return connection.execute(failed.returning(diffusions.c.failures)).scalar() or 0


def pass_over(connection: Connection, conv: str, reason: str, now_ms: int) -> int | None:
    """Pass over the next message of `conv` and keep its number with `reason`; returns the number,
    or `None` where nothing is left to diffuse."""
    d, m = diffusions.c, messages.c
    held = select(d.seq).where(d.conv == conv).with_for_update()
    cursor = connection.execute(held).scalar_one()
    next_one = select(m.seq).where(m.conv == conv, m.seq > cursor).order_by(m.seq).limit(1)
    seq = connection.execute(next_one).scalar()
    if seq is None:
        return None
    connection.execute(
        insert(dead_messages).values(conv=conv, seq=seq, ts=now_ms, reason=reason[:512])
    )
    connection.execute(update(diffusions).where(d.conv == conv).values(seq=seq, failures=0))
    connection.execute(delete(outbox).where(outbox.c.conv == conv, outbox.c.seq <= seq))
    return int(seq)
