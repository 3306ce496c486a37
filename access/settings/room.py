"""The table `access.room`."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import RELOADS

KIB = 1024


class RoomSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How rooms are opened, served and closed on this node."""

    max_rooms: Annotated[
        int,
        RELOADS,
        Meta(
            description="Rooms open at once on this node; an idle one costs about 10 kB, a busy one"
            " up to three rings.",
            ge=1,
            le=1_000_000,
        ),
    ] = 50_000
    linger_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a room stays open after its last member left: reloads and"
            " reconnects come back within them.",
            ge=0,
            le=600,
        ),
    ] = 5.0
    join_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a join waits for its room to open: the mesh's confirmation"
            " (5) and one repeated request (4).",
            ge=0.1,
            le=60,
        ),
    ] = 9.0
    max_joining: Annotated[
        int,
        RELOADS,
        Meta(
            description="Joins that may wait for rooms to open; beyond it `overloaded`. What a node"
            " takes in one second of handshakes.",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    tick_ms: Annotated[
        int,
        Meta(
            description="Most milliseconds from one round of a room's normal or bulk messages to"
            " the next, if the first is written by then. Joining is the largest lever of the"
            " fan-out; 20 ms are invisible.",
            ge=0,
            le=1000,
        ),
    ] = 20
    tick_ratio: Annotated[
        float,
        Meta(
            description="The tick below that bound, as a multiple of the time that the last round"
            " took. With 4, a room that can be served in less than `tick_ms` keeps the node busy"
            " for a quarter of the time at most, and a small room waits for a fraction of a"
            " millisecond.",
            ge=0,
            le=1000,
        ),
    ] = 4.0
    reorder_ms: Annotated[
        int,
        Meta(
            description="Milliseconds that a missing urgent or normal message is waited for until"
            " it is fetched: logic instances overtake each other by a few.",
            ge=0,
            le=5000,
        ),
    ] = 30
    bulk_reorder_ms: Annotated[
        int,
        Meta(
            description="Milliseconds that a missing bulk message is waited for until it is told as"
            " skipped; bulk may be late.",
            ge=0,
            le=5000,
        ),
    ] = 250
    tail_ms: Annotated[
        int,
        Meta(
            description="Milliseconds of silence after which a head beyond the last message counts"
            " as a loss. Heads overtake messages that wait on the bus.",
            ge=10,
            le=60_000,
        ),
    ] = 500
    ring_frames: Annotated[
        int,
        Meta(
            description="Newest messages of a stream kept for resumes and fetches; about ten"
            " seconds of a lively room, the room log has the rest.",
            ge=1,
            le=100_000,
        ),
    ] = 200
    ring_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the same: 200 messages of 500.",
            ge=KIB,
            le=64 << 20,
        ),
    ] = 100 * KIB
    max_held: Annotated[
        int,
        Meta(
            description="Messages of a stream held while one before them is missing; beyond it they"
            " are dropped and fetched. As many as the room log keeps.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    max_pending: Annotated[
        int,
        Meta(
            description="Messages of a stream that may wait for their round; beyond it the older"
            " half is told as skipped. A second of the busiest room.",
            ge=2,
            le=1_000_000,
        ),
    ] = 20_000
    max_round_bytes: Annotated[
        int,
        Meta(
            description="Bytes of one round: it is one write to each member, and an urgent message"
            " waits behind at most one.",
            ge=KIB,
            le=1 << 20,
        ),
    ] = 64 * KIB
    like_flush_ms: Annotated[
        int,
        Meta(
            description="Milliseconds between two reports of merged likes; their clients wait so"
            " long for the answer, and ten reports a second cost little.",
            ge=5,
            le=10_000,
        ),
    ] = 100
    census_ms: Annotated[
        int,
        Meta(
            description="Milliseconds between two reports of how many members rooms have here; they"
            " are shown once a second.",
            ge=100,
            le=60_000,
        ),
    ] = 1000
