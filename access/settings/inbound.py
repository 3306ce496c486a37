"""The table `access.edge.inbound`."""

from typing import Annotated

from msgspec import Meta, Struct

from backends.rate_limit.interface import Rate

KIB = 1024


class InboundSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one connection may send, beside `edge.max_message_bytes` and the table `client`."""

    max_fragments: Annotated[
        int,
        Meta(
            description="Frames of one message; more are closed with 1009. Browsers send one; each"
            " costs, however little is in it.",
            ge=1,
            le=100_000,
        ),
    ] = 128
    bytes_per_s: Annotated[
        int,
        Meta(
            description="Bytes a second in the long run; beyond them the connection is closed with"
            " 4004. 128 KiB are 50 frames of 2.5 KiB: far above what people write.",
            ge=KIB,
            le=1 << 30,
        ),
    ] = 128 * KIB
    bytes_burst: Annotated[
        int,
        Meta(
            description="Bytes at once: 64 of the largest messages. At least two of them.",
            ge=2 * KIB,
            le=1 << 30,
        ),
    ] = 1024 * KIB
    pings_per_s: Annotated[
        float,
        Meta(
            description="WebSocket pings a second, each of which has to be answered; beyond them"
            " the connection is closed with 4004. Clients ping every some seconds.",
            ge=0.1,
            le=100_000,
        ),
    ] = 5.0
    pings_burst: Annotated[
        int,
        Meta(description="Such pings at once: of a phone that wakes up.", ge=1, le=1_000_000),
    ] = 50

    def bytes_rate(self) -> Rate:
        """Return the rate of bytes."""
        return Rate(self.bytes_per_s, self.bytes_burst)

    def pings_rate(self) -> Rate:
        """Return the rate of pings."""
        return Rate(self.pings_per_s, self.pings_burst)
