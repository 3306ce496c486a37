"""The table `access.edge.address`."""

from typing import Annotated

from msgspec import Meta, Struct, field

from access.edge.opening.addresses import AddressLimits
from backends.addresses import LOOPBACK, Proxies
from backends.rate_limit.interface import Rate


class AddressSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one IP address (of IPv6 a /64) may do on this node; beyond it a handshake is answered
    429. Many people may share one, so this is against machines, not people."""

    trusted_proxies: Annotated[
        list[str],
        Meta(
            description="Addresses of proxies, in CIDR notation (10.0.0.0/8): they are not limited"
            " themselves, and their `X-Forwarded-For` says whose connection it is. Loopback: what"
            " runs on the same machine.",
        ),
    ] = field(default_factory=lambda: list(LOOPBACK))
    max_connections: Annotated[
        int,
        Meta(
            description="Connections of one address, those in their handshakes included. 10,000: a"
            " mobile network's NAT holds thousands of people, and a tenth of a node.",
            ge=1,
            le=2_000_000,
        ),
    ] = 10_000
    handshakes_per_s: Annotated[
        float,
        Meta(
            description="Handshakes a second of one address in the long run: less than a tenth of"
            " what a node opens.",
            ge=0.1,
            le=1_000_000,
        ),
    ] = 500.0
    handshakes_burst: Annotated[
        int,
        Meta(
            description="Handshakes at once: a company whose people all come back.",
            ge=1,
            le=1_000_000,
        ),
    ] = 5_000
    failures_per_s: Annotated[
        float,
        Meta(
            description="Requests that are no handshake, and tokens that are not accepted, a second"
            " of one address in the long run; beyond them it is kept out. Honest clients have a"
            " token that has just ended, now and then.",
            ge=0.01,
            le=1_000_000,
        ),
    ] = 5.0
    failures_burst: Annotated[
        int,
        Meta(
            description="Such failures at once: of many people behind one address.",
            ge=1,
            le=1_000_000,
        ),
    ] = 100

    def __post_init__(self) -> None:
        """Raise `ValueError` that names what is no network."""
        try:
            Proxies(self.trusted_proxies)
        except ValueError as error:
            raise ValueError(f"trusted_proxies: {error}") from None

    def limits(self) -> AddressLimits:
        """Return these settings as the edge takes them."""
        return AddressLimits(
            trusted_proxies=tuple(self.trusted_proxies),
            max_connections=self.max_connections,
            handshakes=Rate(self.handshakes_per_s, self.handshakes_burst),
            failures=Rate(self.failures_per_s, self.failures_burst),
        )
