"""The first tables, and the epoch of this database's numbering.

They are spelled out: a step never changes, while `schema.py` does.
"""

import secrets

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    column,
    table,
)

revision = "0001"
down_revision = None

_EPOCH_BYTES = 8


def _key(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    _about_itself()
    _by_conversation()
    _by_user()


def _about_itself() -> None:
    op.create_table(
        "settings",
        Column("name", String(64), nullable=False),
        Column("value", String(256), nullable=False),
        PrimaryKeyConstraint("name"),
    )
    settings = table("settings", column("name"), column("value"))
    epoch = secrets.token_hex(_EPOCH_BYTES)
    op.execute(settings.insert().values(name="epoch", value=epoch))


def _by_conversation() -> None:
    op.create_table(
        "conversations",
        Column("conv", _key(160), nullable=False),
        Column("last_seq", BigInteger(), nullable=False),
        Column("last_count", BigInteger(), nullable=False),
        Column("last_ts", BigInteger(), nullable=False),
        Column("hot", Boolean(), nullable=False),
        PrimaryKeyConstraint("conv"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), autoincrement=False, nullable=False),
        Column("mid_key", LargeBinary(16), nullable=False),
        Column("sender", _key(64), nullable=False),
        Column("name", String(256), nullable=False),
        Column("kind", String(32), nullable=False),
        Column("mid", _key(64), nullable=False),
        Column("ts", BigInteger(), nullable=False),
        Column("count", BigInteger(), nullable=False),
        Column("recalled", Boolean(), nullable=False),
        Column("body", LargeBinary(), nullable=False),
        PrimaryKeyConstraint("conv", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("messages_by_mid", "messages", ["mid_key"], unique=True)
    op.create_table(
        "outbox",
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), autoincrement=False, nullable=False),
        Column("ts", BigInteger(), nullable=False),
        PrimaryKeyConstraint("conv", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "diffusions",
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), nullable=False),
        Column("hot", Boolean(), nullable=False),
        Column("failures", Integer(), nullable=False),
        PrimaryKeyConstraint("conv"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_messages",
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), autoincrement=False, nullable=False),
        Column("ts", BigInteger(), nullable=False),
        Column("reason", String(512), nullable=False),
        PrimaryKeyConstraint("conv", "seq"),
    )
    op.create_table(
        "hot_spans",
        Column("conv", _key(160), nullable=False),
        Column("first", BigInteger(), autoincrement=False, nullable=False),
        Column("last", BigInteger(), nullable=False),
        PrimaryKeyConstraint("conv", "first"),
        sqlite_with_rowid=False,
    )
    op.create_index("hot_spans_by_last", "hot_spans", ["last"])
    op.create_table(
        "groups",
        Column("conv", _key(160), nullable=False),
        Column("name", String(256), nullable=False),
        Column("owner", _key(64), nullable=False),
        Column("member_count", Integer(), nullable=False),
        Column("muted_until", BigInteger(), nullable=False),
        Column("dissolved", Boolean(), nullable=False),
        Column("tagged_hot", Boolean(), nullable=False),
        Column("created", BigInteger(), nullable=False),
        PrimaryKeyConstraint("conv"),
    )
    op.create_table(
        "members",
        Column("conv", _key(160), nullable=False),
        Column("uid", _key(64), nullable=False),
        Column("role", String(16), nullable=False),
        Column("joined_seq", BigInteger(), nullable=False),
        Column("left_seq", BigInteger(), nullable=False),
        Column("muted_until", BigInteger(), nullable=False),
        PrimaryKeyConstraint("conv", "uid"),
        sqlite_with_rowid=False,
    )


def _by_user() -> None:
    op.create_table(
        "mailboxes",
        Column("uid", _key(64), nullable=False),
        Column("head", BigInteger(), nullable=False),
        Column("oldest", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mailbox",
        Column("uid", _key(64), nullable=False),
        Column("n", BigInteger(), autoincrement=False, nullable=False),
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid", "n"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sessions",
        Column("uid", _key(64), nullable=False),
        Column("conv", _key(160), nullable=False),
        Column("hot", Boolean(), nullable=False),
        Column("last_seq", BigInteger(), nullable=False),
        Column("last_count", BigInteger(), nullable=False),
        Column("last_ts", BigInteger(), nullable=False),
        Column("joined_seq", BigInteger(), nullable=False),
        Column("read_seq", BigInteger(), nullable=False),
        Column("read_count", BigInteger(), nullable=False),
        Column("peer_read_seq", BigInteger(), nullable=False),
        Column("muted", Boolean(), nullable=False),
        Column("pinned", Boolean(), nullable=False),
        Column("hidden_seq", BigInteger(), nullable=False),
        Column("left", Boolean(), nullable=False),
        PrimaryKeyConstraint("uid", "conv"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contacts",
        Column("uid", _key(64), nullable=False),
        Column("other", _key(64), nullable=False),
        Column("state", String(16), nullable=False),
        Column("blocked", Boolean(), nullable=False),
        Column("ts", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid", "other"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "devices",
        Column("uid", _key(64), nullable=False),
        Column("device", _key(64), nullable=False),
        Column("cursor", BigInteger(), nullable=False),
        Column("seen", BigInteger(), nullable=False),
        Column("provider", String(16), nullable=False),
        Column("token", String(512), nullable=False),
        PrimaryKeyConstraint("uid", "device"),
        sqlite_with_rowid=False,
    )
    op.create_index("devices_by_token", "devices", ["provider", "token"])
    op.create_table(
        "hot_cursors",
        Column("uid", _key(64), nullable=False),
        Column("device", _key(64), nullable=False),
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid", "device", "conv"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notifications",
        Column("uid", _key(64), nullable=False),
        Column("conv", _key(160), nullable=False),
        Column("seq", BigInteger(), nullable=False),
        Column("n", BigInteger(), nullable=False),
        Column("due", BigInteger(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("mentioned", Boolean(), nullable=False),
        PrimaryKeyConstraint("uid", "conv"),
    )
    op.create_index("notifications_by_due", "notifications", ["due"])
    op.create_table(
        "answers",
        Column("uid", _key(64), nullable=False),
        Column("mid", _key(64), nullable=False),
        Column("answer", LargeBinary(), nullable=False),
        Column("ts", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid", "mid"),
        sqlite_with_rowid=False,
    )
