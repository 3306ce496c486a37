"""The table `access.client`."""

from typing import Annotated

from msgspec import Meta, Struct


class ClientSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one client may do."""

    hello_s: Annotated[
        float,
        Meta(
            description="Seconds until a connection must have said `hello`: a slow phone needs one,"
            " a connection that says nothing should not be held.",
            ge=0.1,
            le=60,
        ),
    ] = 5.0
    expiry_warning_s: Annotated[
        float,
        Meta(
            description="Seconds before the end of its token at which a client is told; it may show"
            " another one until then, and is closed with 4002 at the end. 60: several attempts to"
            " get one.",
            ge=1,
            le=3600,
        ),
    ] = 60.0
    frames_per_s: Annotated[
        float,
        Meta(
            description="Frames a second of one connection in the long run: far above any person's"
            " pace with merged likes.",
            ge=1,
            le=10_000,
        ),
    ] = 50.0
    frames_burst: Annotated[
        int,
        Meta(description="Frames at once: two seconds' worth.", ge=1, le=100_000),
    ] = 100
    max_refused_frames: Annotated[
        int,
        Meta(
            description="Frames over the rate within the strike window until the connection is"
            " closed: who sends so many does not read the refusals.",
            ge=1,
            le=100_000,
        ),
    ] = 200
    max_bad_frames: Annotated[
        int,
        Meta(
            description="Unreadable frames within the strike window until the connection is closed:"
            " enough for a developer's typing errors, too few for a scanner.",
            ge=1,
            le=10_000,
        ),
    ] = 20
    strikes_window_s: Annotated[
        float, Meta(description="Seconds for which such frames are remembered.", ge=1, le=600)
    ] = 10.0
    max_rooms: Annotated[
        int, Meta(description="Rooms of one connection: tabs, not crawlers.", ge=1, le=10_000)
    ] = 50
    joins_per_s: Annotated[
        float,
        Meta(
            description="Joins of rooms a second in the long run, those of a `hello` included:"
            " somebody who zaps through rooms makes two.",
            ge=0.1,
            le=10_000,
        ),
    ] = 10.0
    joins_burst: Annotated[
        int,
        Meta(description="Joins at once: two returns with 50 rooms.", ge=1, le=100_000),
    ] = 100
    max_in_flight: Annotated[
        int,
        Meta(
            description="Requests of one connection that may wait for an answer; more than a burst"
            " at a healthy cluster's pace.",
            ge=1,
            le=10_000,
        ),
    ] = 128
