"""Where the database is, and its bounds."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import SECRET_MARK


class DatabaseSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SQL database that holds conversations, mailboxes and people."""

    url: Annotated[
        str,
        Meta(
            description="`sqlite:///PATH` (embedded: one file, for the instances of one machine) or"
            " `postgresql+psycopg://USER:PASSWORD@HOST/NAME`. A secret because it may carry a"
            " password. The default is a file in the working folder.",
            pattern=r"^(sqlite:///|postgresql\+psycopg://)",
            extra={SECRET_MARK: True},
        ),
    ] = "sqlite:///relaymesh.db"
    writers: Annotated[
        int,
        Meta(
            description="Transactions that write at once, on PostgreSQL; SQLite has one writer."
            " Four: the group commits, the diffusion and two others.",
            ge=1,
            le=64,
        ),
    ] = 4
    readers: Annotated[
        int,
        Meta(
            description="Connections that read at once. Four: each holds a thread, and a read takes"
            " about a millisecond.",
            ge=1,
            le=64,
        ),
    ] = 4
    timeout_s: Annotated[
        float,
        Meta(
            description="Seconds to wait for a connection, or for another writer's lock. Below"
            " `mesh.request_timeout_s`, in which an access node wants an answer: what it then hears"
            " is `unavailable`.",
            ge=0.1,
            le=60,
        ),
    ] = 1.5
    synchronous: Annotated[
        str,
        Meta(
            description="SQLite alone: `FULL` keeps every acknowledged message through a loss of"
            " power; `NORMAL` through a killed process only, and is faster.",
            pattern=r"^(FULL|NORMAL)\Z",
        ),
    ] = "FULL"
    migrate: Annotated[
        bool,
        Meta(
            description="Bring the tables to the version that this relaymesh wants when it starts."
            " Where that is not wished (large databases, a rolling update), `relaymesh database"
            " migrate` does it, and a node refuses to start on an older version."
        ),
    ] = True
