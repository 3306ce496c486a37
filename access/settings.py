"""The config of an access node: the table `access`."""

from typing import Annotated

from msgspec import Meta, Struct, field

from access.edge.settings import EdgeSettings as EdgeLimits
from access.edge.settings import WritePathName
from access.edge.tls.certificate import load
from backends.redis.settings import StoreSettings
from mesh.settings import MeshSettings
from proto.settings_types import SECRET_MARK

KIB = 1024


class EdgeSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where clients connect, and what the node holds for each of them."""

    host: Annotated[
        str,
        Meta(
            description="Address to listen on for clients. Loopback by default because what goes"
            " further should be TLS: by the node itself, or by what stands before it.",
            min_length=1,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(
            description="TCP port for clients; 0 takes a free one.",
            ge=0,
            le=65535,
        ),
    ] = 7740
    reuse_port: Annotated[
        bool,
        Meta(
            description="Lets several processes of one machine share the port (SO_REUSEPORT). Off:"
            " a second node on the same port is mostly a mistake.",
        ),
    ] = False
    path: Annotated[
        str, Meta(description="Path of the WebSocket's URL: the protocol's version.", pattern="^/")
    ] = "/v1"
    tls_cert: Annotated[
        str,
        Meta(
            description="PEM file with the certificate and its chain: the node speaks TLS (1.2 or"
            " later) itself. Read again when it changes and on SIGHUP; open connections stay."
            " Empty: no TLS here.",
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file with the private key of `tls_cert`, without a password."),
    ] = ""
    allowed_origins: Annotated[
        list[str],
        Meta(
            description="Origins of web pages that may connect, exactly as browsers send them, or"
            " `*` for all: the token, not the page, says who somebody is. Clients without an Origin"
            " are no browsers and always allowed.",
        ),
    ] = field(default_factory=lambda: ["*"])
    max_connections: Annotated[
        int,
        Meta(
            description="Connections beyond which a handshake is answered 503. 100,000 need about"
            " 1 GB and an open-files limit above that number.",
            ge=1,
            le=2_000_000,
        ),
    ] = 100_000
    max_opening: Annotated[
        int,
        Meta(
            description="Clients whose hello is still to come or to be answered; more wait to be"
            " accepted. One that says nothing counts for a second. 2,000 are 6,000 a second at a"
            " round trip of 300 ms.",
            ge=1,
            le=1_000_000,
        ),
    ] = 2000
    opening_turn_ms: Annotated[
        float,
        Meta(
            description="Milliseconds that a turn of the node's loop should take at most while"
            " clients connect: longer ones open fewer. What those connected feel of a storm is a"
            " few of them; 5 are twice what a turn with deliveries takes anyway.",
            gt=0,
            le=1000,
        ),
    ] = 5.0
    opening_wait_ms: Annotated[
        int,
        Meta(
            description="Milliseconds for which clients may wait to be accepted. When whoever"
            " comes now would wait longer, a part is answered 503. 1,000: a burst of 3,000 passes"
            " at an idle node, and nobody waits long for a refusal.",
            ge=0,
            le=60_000,
        ),
    ] = 1000
    retry_spread_s: Annotated[
        int,
        Meta(
            description="Clients answered 503 are told to come back in 1 to this many seconds, at"
            " random (Retry-After). 10: 20,000 come back at 2,000 a second.",
            ge=1,
            le=3600,
        ),
    ] = 10
    handshake_s: Annotated[
        float,
        Meta(
            description="Seconds for the whole handshake, so that one that trickles in is cut.",
            ge=0.1,
            le=60,
        ),
    ] = 5.0
    max_message_bytes: Annotated[
        int,
        Meta(
            description="Bytes of a client's message; 16 KiB hold the longest text in any script.",
            ge=KIB,
            le=1 << 20,
        ),
    ] = 16 * KIB
    compression: Annotated[
        bool,
        Meta(
            description="Agrees to permessage-deflate (RFC 7692) with clients that offer it, as"
            " browsers do. On: a room's messages are compressed once for all members and take a"
            " third of the bytes, at no more CPU a delivery.",
        ),
    ] = True
    max_queued_bytes: Annotated[
        int,
        Meta(
            description="Unread bytes of one client beyond which bulk, then normal messages are"
            " thinned, and then the connection closed. 256 KiB are about two seconds at 1 Mbit/s.",
            ge=16 * KIB,
            le=64 << 20,
        ),
    ] = 256 * KIB
    unsent_bytes: Annotated[
        int,
        Meta(
            description="Unsent bytes of one client that the kernel may hold (TCP_NOTSENT_LOWAT):"
            " what an urgent message waits behind at most. 16 KiB are 0.13 s at 1 Mbit/s.",
            ge=KIB,
            le=16 << 20,
        ),
    ] = 16 * KIB
    stall_s: Annotated[
        float,
        Meta(
            description="Seconds after which a client whose socket takes nothing at all is closed"
            " with 4008. What it misses is thinned meanwhile, but still in the room log (60 s) when"
            " it comes back and resumes.",
            ge=0.5,
            le=3600,
        ),
    ] = 10.0
    heartbeat_s: Annotated[
        float,
        Meta(
            description="Seconds of silence after which a client is pinged; after as many more it"
            " is closed. Some routers forget a connection after 30 s.",
            ge=0.5,
            le=3600,
        ),
    ] = 25.0

    write_path: Annotated[
        WritePathName,
        Meta(
            description="How rounds are written: `io_uring` takes one system call for hundreds of"
            " sockets, `loop` one for each. `auto`: io_uring where a probe at start has seen it"
            " work (Linux 6.6 or later; containers often forbid it), else the loop.",
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        """Refuse TLS files that can't be used, before anything starts."""
        if bool(self.tls_cert) != bool(self.tls_key):
            absent, given = sorted(
                ("tls_cert", "tls_key"), key=lambda name: bool(getattr(self, name))
            )
            raise ValueError(f"{absent}: must be given with {given}: TLS needs both")
        if self.tls_cert:
            load(self.tls_cert, self.tls_key)

    def limits(self) -> EdgeLimits:
        """Return these settings as the edge takes them."""
        return EdgeLimits(
            path=self.path,
            allowed_origins=tuple(self.allowed_origins),
            max_connections=self.max_connections,
            max_opening=self.max_opening,
            turn_s=self.opening_turn_ms / 1000,
            opening_wait_s=self.opening_wait_ms / 1000,
            retry_spread_s=self.retry_spread_s,
            handshake_timeout_s=self.handshake_s,
            max_message_bytes=self.max_message_bytes,
            compression=self.compression,
            max_queued_bytes=self.max_queued_bytes,
            stall_s=self.stall_s,
            unsent_bytes=self.unsent_bytes,
            ping_interval_s=self.heartbeat_s,
            write_path=self.write_path,
        )


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
    max_in_flight: Annotated[
        int,
        Meta(
            description="Requests of one connection that may wait for an answer; more than a burst"
            " at a healthy cluster's pace.",
            ge=1,
            le=10_000,
        ),
    ] = 128


class RoomSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How rooms are opened, served and closed on this node."""

    max_rooms: Annotated[
        int,
        Meta(
            description="Rooms open at once on this node; an idle one costs about 10 kB, a busy one"
            " up to three rings.",
            ge=1,
            le=1_000_000,
        ),
    ] = 50_000
    linger_s: Annotated[
        float,
        Meta(
            description="Seconds that a room stays open after its last member left: reloads and"
            " reconnects come back within them.",
            ge=0,
            le=600,
        ),
    ] = 5.0
    join_s: Annotated[
        float,
        Meta(
            description="Seconds that a join waits for its room to open: the mesh's confirmation"
            " (5) and one repeated request (4).",
            ge=0.1,
            le=60,
        ),
    ] = 9.0
    max_joining: Annotated[
        int,
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


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An access node: the WebSocket edge of the cluster."""

    token_secret: Annotated[
        str,
        Meta(
            description="Key that tokens are signed with (HS256), the same on all nodes, at least"
            " 32 bytes. Without a default: a known key is none.",
            min_length=32,
            max_length=4096,
            extra={SECRET_MARK: True},
        ),
    ]
    public_url: Annotated[
        str,
        Meta(
            description="URL at which clients reach this node, as the gateway tells it. Empty:"
            " ws://HOST:PORT/PATH of the edge (wss:// with TLS). A certificate is for a name, so"
            " with one give wss://NAME:PORT/PATH here.",
            pattern=r"^(wss?://.+)?$",
        ),
    ] = ""
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
        Meta(
            description="Seconds that a hello waits for its route to be written; with the store"
            " away the client is let in all the same.",
            ge=0,
            le=60,
        ),
    ] = 1.0
    drain_s: Annotated[
        float,
        Meta(
            description="Seconds over which a stopping node closes its clients, so that they do not"
            " all reconnect at once. Below `node.drain_s`.",
            ge=0,
            le=600,
        ),
    ] = 3.0
    chat_under_way: Annotated[
        int,
        Meta(
            description="Most chat messages on their way to logic at once; beyond that clients are"
            " answered `overloaded`. 512 at 2,000 a second are a quarter of a second of work.",
            ge=1,
            le=1_000_000,
        ),
    ] = 512
    chat_target_ms: Annotated[
        float,
        Meta(
            description="Milliseconds in which chat should be answered; while it takes longer, less"
            " of it is let up, so that a flood of chat leaves the machines to urgent messages. 40:"
            " several times what an idle cluster needs.",
            gt=0,
            le=10_000,
        ),
    ] = 40.0
    edge: EdgeSettings = EdgeSettings()
    client: ClientSettings = ClientSettings()
    room: RoomSettings = RoomSettings()
    mesh: MeshSettings = field(default_factory=MeshSettings)
    store: StoreSettings = StoreSettings()

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key whose value does not fit to another's."""
        if self.workers > 1 and self.edge.port == 0:
            raise ValueError("edge.port: expected a port of its own for several workers, got 0")
