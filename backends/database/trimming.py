"""Mailboxes lose their oldest messages; the conversations keep them."""

from sqlalchemy import Connection, delete, select, update

from backends.database.schema import mailbox, mailboxes


def trim(connection: Connection, uid: str, keep: int, most: int) -> int:
    """Delete at most `most` of a user's oldest rows beyond `keep`; return how many numbers went."""
    b, m = mailboxes.c, mailbox.c
    row = connection.execute(select(b.head, b.oldest).where(b.uid == uid).with_for_update()).first()
    if row is None:
        return 0
    oldest = min(row.head - keep + 1, row.oldest + most)
    if oldest <= row.oldest:
        return 0
    connection.execute(update(mailboxes).where(b.uid == uid).values(oldest=oldest))
    connection.execute(delete(mailbox).where(m.uid == uid, m.n < oldest))
    return int(oldest - row.oldest)
