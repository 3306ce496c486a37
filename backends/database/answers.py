"""First answers to requests that must not be done twice, in the caller's transaction."""

from sqlalchemy import Connection, select

from backends.database.dialects import insert_or
from backends.database.schema import answers


def first_answer(connection: Connection, uid: str, mid: str) -> bytes | None:
    """Return what the request `mid` of `uid` was answered, or `None`."""
    a = answers.c
    query = select(a.answer).where(a.uid == uid, a.mid == mid)
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def remember(connection: Connection, uid: str, mid: str, answer: bytes, now_ms: int) -> bool:
    """Keep an answer, and say whether it is the first one; where the same request is answered
    elsewhere at this moment, wait for that."""
    row = {"uid": uid, "mid": mid, "answer": answer, "ts": now_ms}
    insert = insert_or(connection, answers).values(row).on_conflict_do_nothing()
    return connection.execute(insert.returning(answers.c.mid)).first() is not None
