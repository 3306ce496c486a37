"""What can be tuned about hot rooms; the same for all routers of a cluster."""

from typing import Annotated

import msgspec


class HeatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a room moves to dedicated access nodes and when it comes back."""

    online: Annotated[
        int,
        msgspec.Meta(
            description="Viewers online from which a room is hot. 10,000: on ordinary nodes each "
            "message of such a room is a burst that their other rooms feel.",
            ge=1,
            le=100_000_000,
        ),
    ] = 10_000
    messages_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Messages a second, of all priorities, from which a room is hot, however "
            "many look on. 0 (off): with few viewers a high rate costs little.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0.0
    fan_out: Annotated[
        float,
        msgspec.Meta(
            description="Deliveries a second (viewers times messages) from which a room is hot. "
            "0 (off): a node has about 100,000 a second for each core, so choose by your nodes.",
            ge=0,
            le=1e12,
        ),
    ] = 0.0
    cool_ratio: Annotated[
        float,
        msgspec.Meta(
            description="Share of the thresholds below which a hot room cools. 0.5: a room that "
            "swings around its threshold stays where it is.",
            ge=0.01,
            le=0.95,
        ),
    ] = 0.5
    rise_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds that a room has to be over a threshold. 10: longer than a wave "
            "of reconnects, short beside the time that nodes take to start.",
            ge=0,
            le=3600,
        ),
    ] = 10.0
    fall_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds that a hot room has to be below them all. 120: a host's break or "
            "a broken uplink must not send everybody back.",
            ge=0,
            le=86_400,
        ),
    ] = 120.0
    prepare_s: Annotated[
        float,
        msgspec.Meta(
            description="Most seconds that dedicated nodes may take to get ready; then the room "
            "stays as it is and is tried again later. 180: a new machine takes two minutes.",
            ge=1,
            le=3600,
        ),
    ] = 180.0
    retry_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds before an upgrade that failed is tried again, doubled with each "
            "failure up to ten minutes. 30: by then a scaler has seen what it lacks.",
            ge=1,
            le=600,
        ),
    ] = 30.0
    move_rate_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Viewers of one room that move in a second. 500: a tenth of the "
            "handshakes that one core takes with TLS.",
            ge=1,
            le=1_000_000,
        ),
    ] = 500.0
    stragglers_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds beyond that time for which the last viewers are waited for. 30: "
            "longer than an access node lets one stay who ignores its move.",
            ge=1,
            le=3600,
        ),
    ] = 30.0
    lost_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds without any ready dedicated node after which a room goes back. "
            "15: a restarted node is back by then, and its viewers are on ordinary ones.",
            ge=1,
            le=3600,
        ),
    ] = 15.0
    viewers_per_node: Annotated[
        int,
        msgspec.Meta(
            description="Viewers for each dedicated node. 5,000: the smallest hot room has three, "
            "so that one which dies takes a third.",
            ge=1,
            le=10_000_000,
        ),
    ] = 5000
    headroom: Annotated[
        float,
        msgspec.Meta(
            description="Nodes that are asked for, and time that is given to move, as a multiple "
            "of what is needed now. 1.25: a room that became hot goes on growing.",
            ge=1,
            le=10,
        ),
    ] = 1.25
    max_nodes: Annotated[
        int,
        msgspec.Meta(
            description="Most dedicated nodes for one room. 200: a million viewers, and a bound "
            "on what one room can cost.",
            ge=1,
            le=100_000,
        ),
    ] = 200
    tag_hold_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds for which a tagged room that went live stays on its nodes though "
            "it is below the thresholds. 1,800: a show fills up within half an hour.",
            ge=0,
            le=86_400,
        ),
    ] = 1800.0
