"""The tables (docs/database.md shows them with what they are for, and how they shard).

Two families: those keyed by `conv` belong to the shard of the conversation, those keyed by `uid` to
the shard of the user. No constraint ties one to the other. Times are Unix milliseconds.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()


def _key(length: int) -> String:
    """Return a text that is compared by its bytes, on PostgreSQL whatever its locale: so SQL sorts
    as Python does, and transactions that lock rows in that order do not wait for each other."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


_CONV, _UID, _DEVICE, _MID = _key(160), _key(64), _key(64), _key(64)

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)
"""Facts about the database itself: `epoch`, made with the tables, names the numbering of all
mailboxes."""

# -- by conversation

conversations = Table(
    "conversations",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("last_seq", BigInteger, nullable=False, default=0),
    Column("last_count", BigInteger, nullable=False, default=0),
    Column("last_ts", BigInteger, nullable=False, default=0),
    Column("hot", Boolean, nullable=False, default=False),
    sqlite_with_rowid=False,
)
"""The head of each conversation. `last_count` counts those messages that make a session unread;
`hot` is how message `last_seq` + 1 will go."""

messages = Table(
    "messages",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("mid_key", LargeBinary(16), nullable=False),
    Column("sender", _UID, nullable=False),
    Column("name", String(256), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("mid", _MID, nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("recalled", Boolean, nullable=False, default=False),
    Column("body", LargeBinary, nullable=False),
    Index("messages_by_mid", "mid_key", unique=True),
    sqlite_with_rowid=False,
)
"""`count` is the conversation's `last_count` at this message; `mid_key` hashes (conv, sender,
mid)."""

outbox = Table(
    "outbox",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Messages that no mailbox has yet: committed with the message, deleted with the diffusion."""

diffusions = Table(
    "diffusions",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("hot", Boolean, nullable=False, default=False),
    Column("failures", Integer, nullable=False, default=0),
    sqlite_with_rowid=False,
)
"""Up to which message each conversation is in the mailboxes, and whether what follows is hot."""

dead_messages = Table(
    "dead_messages",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("ts", BigInteger, nullable=False),
    Column("reason", String(512), nullable=False),
)
"""Messages that could not be diffused and were passed over."""

hot_spans = Table(
    "hot_spans",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False, default=0),
    Index("hot_spans_by_last", "last"),
    sqlite_with_rowid=False,
)
"""Which messages of a group are on its hot stream: from `first` to `last`, or (0) on and on."""

groups = Table(
    "groups",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("name", String(256), nullable=False),
    Column("owner", _UID, nullable=False),
    Column("member_count", Integer, nullable=False),
    Column("muted_until", BigInteger, nullable=False, default=0),
    Column("dissolved", Boolean, nullable=False, default=False),
    Column("tagged_hot", Boolean, nullable=False, default=False),
    Column("created", BigInteger, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("conv", _CONV, primary_key=True),
    Column("uid", _UID, primary_key=True),
    Column("role", String(16), nullable=False),
    Column("joined_seq", BigInteger, nullable=False),
    Column("left_seq", BigInteger, nullable=False, default=0),
    Column("muted_until", BigInteger, nullable=False, default=0),
    sqlite_with_rowid=False,
)
"""Members of groups. A member gets the messages from `joined_seq` on; one who has left, or was sent
out, keeps its row with `left_seq`, the last message that it gets, until that is diffused.
`role` is `owner`, `admin` or `member`."""

# -- by user

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("head", BigInteger, nullable=False, default=0),
    Column("oldest", BigInteger, nullable=False, default=1),
    sqlite_with_rowid=False,
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("conv", _CONV, nullable=False),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Number `n` of the user's mailbox is message `seq` of `conv`; numbers have no gaps."""

sessions = Table(
    "sessions",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("conv", _CONV, primary_key=True),
    Column("hot", Boolean, nullable=False, default=False),
    Column("last_seq", BigInteger, nullable=False, default=0),
    Column("last_count", BigInteger, nullable=False, default=0),
    Column("last_ts", BigInteger, nullable=False, default=0),
    Column("joined_seq", BigInteger, nullable=False, default=0),
    Column("read_seq", BigInteger, nullable=False, default=0),
    Column("read_count", BigInteger, nullable=False, default=0),
    Column("peer_read_seq", BigInteger, nullable=False, default=0),
    Column("muted", Boolean, nullable=False, default=False),
    Column("pinned", Boolean, nullable=False, default=False),
    Column("hidden_seq", BigInteger, nullable=False, default=0),
    Column("left", Boolean, nullable=False, default=False),
    sqlite_with_rowid=False,
)
"""A conversation as one user sees it; system conversations have none. For a hot group `last_*` are
those of `conversations`. `hidden_seq`: hidden until a message comes after it."""

contacts = Table(
    "contacts",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("other", _UID, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("blocked", Boolean, nullable=False, default=False),
    Column("ts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How `uid` stands to `other`: `friend`, `asked` (by uid), `asking` (by other) or `none`."""

devices = Table(
    "devices",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("device", _DEVICE, primary_key=True),
    Column("cursor", BigInteger, nullable=False, default=0),
    Column("seen", BigInteger, nullable=False, default=0),
    Column("provider", String(16), nullable=False, default=""),
    Column("token", String(512), nullable=False, default=""),
    Index("devices_by_token", "provider", "token"),
    sqlite_with_rowid=False,
)
"""Devices with what they have acknowledged of the mailbox, and where they are notified."""

hot_cursors = Table(
    "hot_cursors",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("device", _DEVICE, primary_key=True),
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

notifications = Table(
    "notifications",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("conv", _CONV, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("mentioned", Boolean, nullable=False, default=False),
    Index("notifications_by_due", "due"),
)
"""Messages that wait to be acknowledged or notified of: the newest of each conversation, which is
number `n` of the mailbox (0: of a hot group)."""

answers = Table(
    "answers",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("mid", _MID, primary_key=True),
    Column("answer", LargeBinary, nullable=False),
    Column("ts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""First answers to what must not be done twice and makes no message of its own: `group_create`."""

accounts = Table(
    "accounts",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("name_key", _key(64), nullable=False),
    Column("password", String(256), nullable=False),
    Column("tokens_from", BigInteger, nullable=False, default=0),
    Column("created", BigInteger, nullable=False),
    Index("accounts_by_name", "name_key", unique=True),
    sqlite_with_rowid=False,
)
"""Who may log in. `name_key` is the name as it is compared, `password` an argon2 hash with its
parameters; tokens issued up to `tokens_from` were revoked."""

logins = Table(
    "logins",
    metadata,
    Column("uid", _UID, primary_key=True),
    Column("sid", _key(64), primary_key=True),
    Column("device", _DEVICE, nullable=False),
    Column("family", LargeBinary(32), nullable=False),
    Column("token", LargeBinary(32), nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("rotated", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("logins_by_family", "family", unique=True),
    sqlite_with_rowid=False,
)
"""One login on one device: SHA-256 of its family of refresh tokens, of the one that is good, and of
the one before it, which was used for the first time at `rotated`."""
