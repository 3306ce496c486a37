"""How a node reaches the relays of its region: the table `mesh` of access, router and logic."""

from typing import Annotated

import msgspec
from msgspec import Meta

from backends.tls.settings import NO_TLS, TlsSettings
from mesh.addresses import BadAddressError, lane_urls, refuse_other_scheme
from proto.settings_types import RELOADS

MIB = 1 << 20


class MeshSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The relays that this node dials, and what it may have under way to them."""

    relays: Annotated[
        list[str],
        RELOADS,
        Meta(
            description="Addresses of all relays of the region, one text each: the URL of the "
            "urgent lane, with normal and bulk on the next two ports, or three URLs with commas "
            "between them. Relays say their names themselves.",
            max_length=8,
        ),
    ] = msgspec.field(default_factory=lambda: ["tcp://127.0.0.1:7730"])
    discover: Annotated[
        bool,
        Meta(
            description="Find the relays by their leases in the store instead, and not by "
            "`relays`: those of this node's region that have `store_url` set. Off, since a file "
            "needs no store to be right.",
        ),
    ] = False
    request_timeout_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that one attempt of a request may take; a request that may be "
            "repeated has two attempts. Two are far over a healthy answer, far below a person's "
            "patience.",
            ge=0.05,
            le=60,
        ),
    ] = 2.0
    max_requests: Annotated[
        int,
        RELOADS,
        Meta(
            description="Requests that may be without an answer at once; further ones are refused "
            "as `overloaded`. Normal ones leave a quarter to urgent, bulk a half. 4,096 is what "
            "one logic instance does in about a second.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    confirm_timeout_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a join waits for a relay to confirm the interest: as long as "
            "a carrier takes to be missed and replaced, and a little more.",
            ge=0.05,
            le=60,
        ),
    ] = 5.0
    lane_bytes: Annotated[
        int,
        Meta(
            description="Bytes that may wait for one relay on one lane, at least. Full: bulk drops "
            "its oldest, normal and urgent make the sender wait.",
            ge=MIB,
            le=1024 * MIB,
        ),
    ] = 8 * MIB
    ping_s: Annotated[
        float,
        Meta(
            description="Seconds between pings on each lane; also how often round trips are "
            "measured.",
            ge=0.05,
            le=60,
        ),
    ] = 1.0
    silence_s: Annotated[
        float,
        Meta(
            description="Seconds without a sign of life after which a relay counts as gone: three "
            "missed pings, so that one slow moment is no failure.",
            ge=0.1,
            le=600,
        ),
    ] = 3.0
    tls: TlsSettings = NO_TLS

    def __post_init__(self) -> None:
        """Raise `ValueError` for a relay whose address names no three lanes, or is encrypted
        without a certificate, or not with one."""
        for address in () if self.discover else self.relays:
            try:
                lane_urls(address)
                refuse_other_scheme(address, tls=self.tls.on)
            except BadAddressError as error:
                raise ValueError(f"relays: {error}") from None
