"""The table `access.edge`."""

from typing import Annotated

from msgspec import Meta, Struct, field

from access.edge.settings import EdgeSettings as EdgeLimits
from access.edge.settings import WritePathName
from access.edge.tls.certificate import load
from access.settings.address import AddressSettings
from access.settings.inbound import InboundSettings
from access.settings.request import RequestSettings
from proto.settings_types import RELOADS

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
            " later) itself. Its content is read again on reload and when it changes; open"
            " connections stay. Empty: no TLS here.",
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="PEM file with the private key of `tls_cert`, without a password."),
    ] = ""
    allowed_origins: Annotated[
        list[str],
        RELOADS,
        Meta(
            description="Origins of web pages that may connect, exactly as browsers send them, or"
            " `*` for all: the token, not the page, says who somebody is. Clients without an Origin"
            " are no browsers and always allowed.",
        ),
    ] = field(default_factory=lambda: ["*"])
    max_connections: Annotated[
        int,
        RELOADS,
        Meta(
            description="Connections beyond which a handshake is answered 503. 100,000 need about"
            " 1 GB and an open-files limit above that number.",
            ge=1,
            le=2_000_000,
        ),
    ] = 100_000
    max_opening: Annotated[
        int,
        RELOADS,
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
        RELOADS,
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
        RELOADS,
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
        RELOADS,
        Meta(
            description="Clients answered 503 are told to come back in 1 to this many seconds, at"
            " random (Retry-After). 10: 20,000 come back at 2,000 a second.",
            ge=1,
            le=3600,
        ),
    ] = 10
    handshake_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for the whole handshake, so that one that trickles in is cut.",
            ge=0.1,
            le=60,
        ),
    ] = 5.0
    max_message_bytes: Annotated[
        int,
        RELOADS,
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
        RELOADS,
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
        RELOADS,
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

    request: Annotated[RequestSettings, RELOADS] = RequestSettings()
    inbound: Annotated[InboundSettings, RELOADS] = InboundSettings()
    address: Annotated[AddressSettings, RELOADS] = field(default_factory=AddressSettings)

    def __post_init__(self) -> None:
        """Refuse TLS files that can't be used, before anything starts."""
        if bool(self.tls_cert) != bool(self.tls_key):
            absent, given = sorted(
                ("tls_cert", "tls_key"), key=lambda name: bool(getattr(self, name))
            )
            raise ValueError(f"{absent}: must be given with {given}: TLS needs both")
        if self.tls_cert:
            load(self.tls_cert, self.tls_key)
        if self.inbound.bytes_burst < 2 * self.max_message_bytes:
            raise ValueError(
                "inbound.bytes_burst: expected at least twice max_message_bytes"
                f" ({2 * self.max_message_bytes}), got {self.inbound.bytes_burst}: a large message"
                " would end its connection"
            )

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
            max_request_bytes=self.request.max_bytes,
            max_url_bytes=self.request.max_url_bytes,
            max_headers=self.request.max_headers,
            max_header_bytes=self.request.max_header_bytes,
            address=self.address.limits(),
            max_message_bytes=self.max_message_bytes,
            max_fragments=self.inbound.max_fragments,
            inbound_bytes=self.inbound.bytes_rate(),
            pings=self.inbound.pings_rate(),
            compression=self.compression,
            max_queued_bytes=self.max_queued_bytes,
            stall_s=self.stall_s,
            unsent_bytes=self.unsent_bytes,
            ping_interval_s=self.heartbeat_s,
            write_path=self.write_path,
        )
