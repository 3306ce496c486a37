"""Accounts and logins."""

from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, PrimaryKeyConstraint, String

revision = "0002"
down_revision = "0001"


def _key(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "accounts",
        Column("uid", _key(64), nullable=False),
        Column("name", String(64), nullable=False),
        Column("name_key", _key(64), nullable=False),
        Column("password", String(256), nullable=False),
        Column("tokens_from", BigInteger(), nullable=False),
        Column("created", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid"),
        sqlite_with_rowid=False,
    )
    op.create_index("accounts_by_name", "accounts", ["name_key"], unique=True)
    op.create_table(
        "logins",
        Column("uid", _key(64), nullable=False),
        Column("sid", _key(64), nullable=False),
        Column("device", _key(64), nullable=False),
        Column("family", LargeBinary(32), nullable=False),
        Column("token", LargeBinary(32), nullable=False),
        Column("previous", LargeBinary(32), nullable=False),
        Column("rotated", BigInteger(), nullable=False),
        Column("created", BigInteger(), nullable=False),
        Column("seen", BigInteger(), nullable=False),
        Column("until", BigInteger(), nullable=False),
        PrimaryKeyConstraint("uid", "sid"),
        sqlite_with_rowid=False,
    )
    op.create_index("logins_by_family", "logins", ["family"], unique=True)
