"""The table `access.im`."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import RELOADS

KIB = 1024


class ImSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How instant messages are delivered to devices, and how lost ones are found."""

    in_flight: Annotated[
        int,
        Meta(
            description="Messages of one stream that a device may have without an acknowledgement;"
            " beyond that it gets more as it acknowledges. 64 at a round trip of 100 ms are 640 a"
            " second.",
            ge=2,
            le=10_000,
        ),
    ] = 64
    in_flight_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the same, of all streams of a connection together. Below"
            " `edge.max_queued_bytes`, which closes who reads slowly: 128 KiB are a second at 1"
            " Mbit/s.",
            ge=KIB,
            le=16 << 20,
        ),
    ] = 128 * KIB
    first_resend_s: Annotated[
        float,
        Meta(
            description="Seconds until a message without an acknowledgement is sent again, before"
            " the device's round trip is known (RFC 6298 says 1).",
            ge=0.1,
            le=60,
        ),
    ] = 1.0
    min_resend_s: Annotated[
        float,
        Meta(
            description="Least seconds of the same, however short the round trip: devices gather"
            " acknowledgements, and may be busy for a moment (RFC 6298 says 1).",
            ge=0.1,
            le=60,
        ),
    ] = 1.0
    max_resend_s: Annotated[
        float,
        Meta(
            description="Most seconds between two times, which double each time.",
            ge=0.1,
            le=600,
        ),
    ] = 16.0
    max_resends: Annotated[
        int,
        Meta(
            description="Times that a message is sent again until its connection is closed as dead"
            " (4006). 5 at 1, 2, 4, 8, 16 and 16 s are 47 s.",
            ge=1,
            le=100,
        ),
    ] = 5
    reorder_ms: Annotated[
        int,
        Meta(
            description="Milliseconds that a missing message is waited for until a page is asked"
            " for: logic instances overtake each other by a few.",
            ge=0,
            le=5000,
        ),
    ] = 30
    tail_ms: Annotated[
        int,
        Meta(
            description="Milliseconds that a message which the database has, and this node has not,"
            " is waited for: it may be on the bus.",
            ge=0,
            le=60_000,
        ),
    ] = 300
    tails_s: Annotated[
        float,
        Meta(
            description="Seconds in which the end of each mailbox and hot group is asked for once:"
            " so long a lost message without another behind it may stay unnoticed.",
            ge=0.1,
            le=600,
        ),
    ] = 3.0
    cursors_s: Annotated[
        float,
        Meta(
            description="Seconds between two reports of what devices have acknowledged. What is not"
            " reported when a node dies may come again to a device that asks without a position.",
            ge=0.05,
            le=60,
        ),
    ] = 1.0
    presence_s: Annotated[
        float,
        Meta(
            description="Seconds between two questions for the presence of all that are watched.",
            ge=0.1,
            le=60,
        ),
    ] = 0.5
    offline_s: Annotated[
        float,
        Meta(
            description="Seconds that a user must have been away until it is told: a phone that"
            " changes its network comes back sooner.",
            ge=0,
            le=60,
        ),
    ] = 1.0
    max_devices: Annotated[
        int,
        RELOADS,
        Meta(
            description="Devices of one user that may be connected to this node: more than a person"
            " has.",
            ge=1,
            le=1000,
        ),
    ] = 20
