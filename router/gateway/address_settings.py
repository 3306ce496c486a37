"""What one address may ask of the gateway."""

from typing import Annotated

import msgspec

from backends.addresses import LOOPBACK, Proxies
from backends.rate_limit.interface import Rate


class AddressSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one IP address (of IPv6 a /64) may do at this gateway; beyond it: `rate_limited`. Many
    people may share one."""

    trusted_proxies: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Addresses of proxies, in CIDR notation (10.0.0.0/8): they are not limited "
            "themselves, and their `X-Forwarded-For` says whose request it is. Loopback: what runs "
            "on the same machine. Back ends with a network of their own belong here too."
        ),
    ] = LOOPBACK
    requests_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Requests a second in the long run. A client asks once for each connect: "
            "as many as `access.edge.address.handshakes_per_s`.",
            ge=0.1,
            le=1_000_000,
        ),
    ] = 500.0
    requests_burst: Annotated[
        int,
        msgspec.Meta(
            description="Requests at once: a company whose people all come back.",
            ge=1,
            le=1_000_000,
        ),
    ] = 5_000
    max_requests: Annotated[
        int,
        msgspec.Meta(
            description="Requests at work at a time, those whose body is still to come included. "
            "250: a quarter of `gateway.max_requests`, so that nobody holds all of those by bodies "
            "that trickle.",
            ge=1,
            le=100_000,
        ),
    ] = 250
    failures_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Requests answered 401 (tokens, keys and passwords that are not accepted) "
            "a second in the long run.",
            ge=0.01,
            le=1_000_000,
        ),
    ] = 5.0
    failures_burst: Annotated[
        int,
        msgspec.Meta(
            description="Such requests at once: of many people behind one address.",
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

    def requests_rate(self) -> Rate:
        """Return the rate of requests."""
        return Rate(self.requests_per_s, self.requests_burst)

    def failures_rate(self) -> Rate:
        """Return the rate of requests that are not authorised."""
        return Rate(self.failures_per_s, self.failures_burst)
