"""The config of an access node: the table `access`, and those inside it."""

from typing import Annotated

from msgspec import Meta, Struct, field

from access.settings.client import ClientSettings
from access.settings.edge import EdgeSettings
from access.settings.im import ImSettings
from access.settings.room import RoomSettings
from access.settings.user import UserSettings
from backends.redis.settings import StoreSettings
from backends.token_keys.files import load_keyring
from mesh.settings import MeshSettings
from proto.ids import POOL_PATTERN
from proto.regions import ONE_REGION, Regions
from proto.settings_types import RELOADS
from proto.token_settings import TokenSettings

__all__ = [
    "ClientSettings",
    "EdgeSettings",
    "ImSettings",
    "RoomSettings",
    "Settings",
    "UserSettings",
]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An access node: the WebSocket edge of the cluster."""

    tokens: Annotated[TokenSettings, RELOADS]
    public_url: Annotated[
        str,
        Meta(
            description="URL at which clients reach this node, as the gateway tells it. Empty:"
            " ws://HOST:PORT/PATH of the edge (wss:// with TLS). A certificate is for a name, so"
            " with one give wss://NAME:PORT/PATH here.",
            pattern=r"^(wss?://.+)?$",
        ),
    ] = ""
    pool: Annotated[
        str,
        Meta(
            description="Pool of dedicated nodes that this one is of, as the provisioner names it:"
            " it takes the members of hot rooms that were given the pool. Empty: an ordinary node.",
            pattern=rf"^$|{POOL_PATTERN}",
        ),
    ] = ""
    move_grace_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for which a client that was told to move to another node may stay"
            " beyond the moment that was set for it; then it is closed with 4010. 10: longer than a"
            " phone needs to connect.",
            ge=0.1,
            le=600,
        ),
    ] = 10.0
    workers: Annotated[
        int,
        Meta(
            description="Processes that share the port, for machines with more than one core; each"
            " is a node of its own, called ID-w1, ID-w2, …, with its HTTP at the port of"
            " `node.http` plus 1, plus 2, …. `edge.max_connections` and `chat_under_way` are for"
            " all of them together, the rest for each. One by default: a local cluster's machine"
            " has other work too.",
            ge=1,
            le=256,
        ),
    ] = 1
    lease_s: Annotated[
        float,
        Meta(
            description="Seconds between two renewals of the node's lease: a third of the lease.",
            ge=0.1,
            le=60,
        ),
    ] = 1.0
    route_wait_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a hello waits for its route to be written; with the store"
            " away the client is let in all the same.",
            ge=0,
            le=60,
        ),
    ] = 1.0
    drain_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds over which a stopping node moves its clients to other nodes, so"
            " that they do not all reconnect at once; who does not move, or has nowhere to go, is"
            " closed. Below `node.drain_s`.",
            ge=0,
            le=600,
        ),
    ] = 3.0
    chat_under_way: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most chat messages on their way to logic at once; beyond that clients are"
            " answered `overloaded`. 512 at 2,000 a second are a quarter of a second of work.",
            ge=1,
            le=1_000_000,
        ),
    ] = 512
    chat_target_ms: Annotated[
        float,
        RELOADS,
        Meta(
            description="Milliseconds in which chat should be answered; while it takes longer, less"
            " of it is let up, so that a flood of chat leaves the machines to urgent messages. 40:"
            " several times what an idle cluster needs.",
            gt=0,
            le=10_000,
        ),
    ] = 40.0
    edge: EdgeSettings = EdgeSettings()
    client: Annotated[ClientSettings, RELOADS] = ClientSettings()
    user: Annotated[UserSettings, RELOADS] = UserSettings()
    room: RoomSettings = RoomSettings()
    im: ImSettings = ImSettings()
    mesh: MeshSettings = field(default_factory=MeshSettings)
    store: StoreSettings = StoreSettings()
    regions: Regions = ONE_REGION

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key whose value does not fit to another's."""
        load_keyring(self.tokens)
        if self.workers > 1 and self.edge.port == 0:
            raise ValueError("edge.port: expected a port of its own for several workers, got 0")
        if self.im.in_flight_bytes > self.edge.max_queued_bytes // 2:
            raise ValueError(
                "im.in_flight_bytes: expected at most half of edge.max_queued_bytes"
                f" ({self.edge.max_queued_bytes // 2}), got {self.im.in_flight_bytes}: a device"
                " that reads slowly would be closed for what it is sent"
            )
        if self.im.min_resend_s > self.im.max_resend_s:
            raise ValueError(
                "im.min_resend_s: expected at most im.max_resend_s"
                f" ({self.im.max_resend_s:g}), got {self.im.min_resend_s:g}"
            )
