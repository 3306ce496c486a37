"""How the bus is reached, and its bounds."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

BusKind = Literal["memory", "redis", "rocketmq"]


class BusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `open_bus`. Durations are seconds."""

    kind: Annotated[
        BusKind,
        Meta(
            description="`redis`: Redis Streams, embedded in a local cluster, which is why it is "
            "the default; `rocketmq`: a RocketMQ 5.x cluster; `memory`: within a process, for tests"
        ),
    ] = "redis"
    url: Annotated[
        str,
        Meta(
            description="Redis: a URL such as redis://HOST:PORT/0, rediss://… or "
            "unix:///PATH; RocketMQ: HOST:PORT of a name server, several divided by `;`. "
            "The default is where a Redis on this host listens"
        ),
    ] = "redis://127.0.0.1:6379/0"
    prefix: Annotated[
        str,
        Meta(
            description="begins the name of each topic and group, so that clusters may share a "
            "broker; the letters are those which RocketMQ permits",
            pattern=r"^[a-zA-Z0-9_-]+$",
            max_length=40,
        ),
    ] = "relaymesh"
    publish_timeout_s: Annotated[
        float,
        Meta(
            description="seconds until an unconfirmed publish fails; long enough for a broker "
            "that restarts to be met again, short enough for the publisher's client to wait",
            gt=0,
            le=60,
        ),
    ] = 5.0
    outbox_records: Annotated[
        int,
        Meta(
            description="records of a topic that wait in this process for the broker; when it is "
            "full, publishers wait. About a second's worth at full rate",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    backlog_packs: Annotated[
        int,
        Meta(
            description="packs that a topic keeps (memory, redis) before it refuses more; nothing "
            "unacknowledged is dropped for it. 50,000 packs of 10 kB are half a gigabyte",
            ge=10,
            le=10_000_000,
        ),
    ] = 50_000
    retention_s: Annotated[
        float,
        Meta(
            description="seconds that settled packs are kept (redis), which is how far behind a "
            "broadcast consumer may fall or how long it may be cut off",
            ge=1,
            le=3600,
        ),
    ] = 15.0
    in_flight: Annotated[
        int,
        Meta(
            description="deliveries of a subscription that may be unsettled at a time; on "
            "RocketMQ each holds a native thread, so no more than what hides a round trip",
            ge=1,
            le=1024,
        ),
    ] = 16
    max_attempts: Annotated[
        int,
        Meta(
            description="deliveries before a pack goes to the dead-letter topic; with the backoff "
            "below, 8 attempts bridge about 10 s without the consumer's store",
            ge=1,
            le=1000,
        ),
    ] = 8
    backoff_first_s: Annotated[
        float,
        Meta(
            description="seconds until the first retry, doubled by each further one: a hiccup is "
            "over in that time",
            gt=0,
            le=60,
        ),
    ] = 0.1
    backoff_most_s: Annotated[
        float,
        Meta(
            description="the longest wait between two tries, seconds: how late a recovery may be "
            "noticed",
            gt=0,
            le=600,
        ),
    ] = 5.0
    claim_after_s: Annotated[
        float,
        Meta(
            description="seconds after which a silent member's packs go to another (redis); "
            "members report thrice in that time, so a stall that long counts as death",
            gt=0,
            le=600,
        ),
    ] = 5.0
    partitions: Annotated[
        int,
        Meta(
            description="queues of a topic that is new (rocketmq): order holds within one, and "
            "no more than this many members of a group are served. A batch becomes a message for "
            "each, so more queues make a single publisher slower",
            ge=1,
            le=256,
        ),
    ] = 4
