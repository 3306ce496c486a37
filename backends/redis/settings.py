"""Where the store is and how long it is waited for, for every role that uses it."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import SECRET_MARK


class StoreSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The Redis (or Valkey) that holds room logs, routes, leases and like totals."""

    url: Annotated[
        str,
        Meta(
            description="redis://, rediss:// or unix:// URL. Acknowledged means kept only where"
            " the server runs with `appendonly yes` and `appendfsync always`. A secret because it"
            " may carry a password.",
            pattern=r"^(redis|rediss|unix)://",
            extra={SECRET_MARK: True},
        ),
    ] = "redis://127.0.0.1:6379/0"
    connections: Annotated[
        int,
        Meta(
            description="Connections of this node. Each has one pipeline in flight, filled with"
            " what waits meanwhile; two keep a server busy that runs one command at a time.",
            ge=1,
            le=64,
        ),
    ] = 2
    pipeline_commands: Annotated[
        int,
        Meta(
            description="Most commands in a pipeline. 512 take a few milliseconds, which is what"
            " the command behind them waits.",
            ge=1,
            le=10_000,
        ),
    ] = 512
    queue_commands: Annotated[
        int,
        Meta(
            description="Most commands that wait for a pipeline; beyond that a call is refused at"
            " once. 20,000 are a fifth of a second of work.",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    timeout_s: Annotated[
        float,
        Meta(
            description="Seconds to wait for a connection or an answer. Above the stall of a slow"
            " disk's sync, below what a client waits.",
            ge=0.05,
            le=60,
        ),
    ] = 2.0
    patience_s: Annotated[
        float,
        Meta(
            description="Seconds for which a command is tried again while the store is away. Three"
            " cover a store that is killed and started again; clients do not see it.",
            ge=0,
            le=60,
        ),
    ] = 3.0
    lease_s: Annotated[
        float,
        Meta(
            description="Seconds for which a node counts as living after its last renewal; nodes"
            " renew each second, so that two renewals may be lost.",
            ge=2,
            le=60,
        ),
    ] = 3.0
