"""Where the store is and how long it is waited for, for every role that uses it."""

from typing import Annotated

from msgspec import Meta, Struct

from backends.room_log.retention import Retention
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
    log_messages: Annotated[
        int,
        Meta(
            description="Messages kept for each room and priority. 1,000 let a client that was"
            " away for ten seconds of a room with 100 a second come back without a gap.",
            ge=10,
            le=100_000,
        ),
    ] = 1000
    log_age_s: Annotated[
        float,
        Meta(
            description="Seconds for which a message is kept. A minute covers a train's tunnel and"
            " a restarted node; older live chat is of no use.",
            ge=1,
            le=86_400,
        ),
    ] = 60.0
    dedup_s: Annotated[
        float,
        Meta(
            description="Seconds for which the same message id publishes nothing again. Five"
            " minutes are the longest that a client goes on repeating.",
            ge=1,
            le=86_400,
        ),
    ] = 300.0
    numbering_s: Annotated[
        float,
        Meta(
            description="Seconds after its last message for which a room keeps its epoch and"
            " numbers. A week: a client that comes back later starts anew.",
            ge=60,
            le=31_536_000,
        ),
    ] = 604_800.0
    lease_s: Annotated[
        float,
        Meta(
            description="Seconds for which a node counts as living after its last renewal; nodes"
            " renew each second, so that two renewals may be lost.",
            ge=2,
            le=60,
        ),
    ] = 3.0

    @property
    def retention(self) -> Retention:
        """Return what a room log keeps."""
        return Retention(self.log_messages, self.log_age_s, self.dedup_s, self.numbering_s)
