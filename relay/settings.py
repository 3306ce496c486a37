"""The config of a relay: the table `relay`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from backends.bus.settings import BusSettings
from backends.tls.settings import NO_TLS, TlsSettings
from mesh.addresses import BadAddressError, refuse_other_scheme
from proto.regions import ONE_REGION, Regions
from proto.settings_types import RELOADS, Secret
from relay.regions.settings import RegionRelays, refuse_bad_links

MIB = 1 << 20


class HotBus(BusSettings, frozen=True, forbid_unknown_fields=True):
    """The bus from which the relay takes what goes the hot way: the same as logic's."""

    kind: Annotated[
        Literal["none", "redis", "rocketmq"],
        Meta(
            description="`none`: the relay does not carry the hot way, and nodes ask others for "
            "hot rooms; where no relay does, hot rooms come by repairs alone, a second late. "
            "`redis` and `rocketmq` as for logic."
        ),
    ] = "none"  # type: ignore[assignment]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a relay listens, and how much it holds for whom."""

    listen: Annotated[
        str,
        Meta(
            description="Address of the urgent lane, with normal and bulk on the next two ports, "
            "or three URLs with commas between them: `tls+tcp://` with a certificate, `tcp://` "
            "without. Loopback by default, because links are not encrypted by default.",
            min_length=1,
        ),
    ] = "tcp://127.0.0.1:7730"
    advertise: Annotated[
        str,
        Meta(
            description="Address by which nodes with `mesh.discover` dial this relay, written as "
            "`listen` is. Empty: `listen`, which is right unless that is no address of this host, "
            "as in a container.",
        ),
    ] = ""
    peer_lane_bytes: Annotated[
        int,
        RELOADS,
        Meta(
            description="Bytes that may wait for one node on the normal or bulk lane. Eight "
            "million are about 0.2 s of a full lane: enough for a pause of the node's, little "
            "enough that 300 slow nodes fit into memory. Full: bulk drops its oldest, normal its "
            "newest, which the receivers repair from the room log. Routers are pushed back from a "
            "quarter on; the rest takes what ten of them still have under way.",
            ge=MIB,
            le=1024 * MIB,
        ),
    ] = 8 * MIB
    peer_urgent_bytes: Annotated[
        int,
        RELOADS,
        Meta(
            description="Bytes that may wait for one node on the urgent lane: the biggest bound, "
            "since urgent is dropped last.",
            ge=MIB,
            le=1024 * MIB,
        ),
    ] = 32 * MIB
    stuck_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a node's lane may stay full before the node is cut and has "
            "to come back: longer than a collector's pause, shorter than what viewers bear.",
            ge=0.1,
            le=60,
        ),
    ] = 2.0
    silence_s: Annotated[
        float,
        Meta(
            description="Seconds without a sign of life after which a node counts as gone: three "
            "missed pings, so that one slow moment is no failure.",
            ge=0.1,
            le=600,
        ),
    ] = 3.0
    max_outstanding: Annotated[
        int,
        RELOADS,
        Meta(
            description="Requests that one logic instance may have unanswered through this relay; "
            "beyond it requests are answered `overloaded`. Normal ones leave a quarter to urgent, "
            "bulk a half. 1,024 at 2,000 a second are half a second of work.",
            ge=1,
            le=1_000_000,
        ),
    ] = 1024
    bus: HotBus = HotBus()
    store_url: Annotated[
        Secret,
        Meta(
            description="Redis in which the relay says that it lives, for `relaymesh status`. "
            "Empty: it says so nowhere and works all the same.",
        ),
    ] = ""
    lease_s: Annotated[
        float,
        Meta(
            description="Seconds between two signs of life in the store; leases run for several.",
            ge=0.1,
            le=60,
        ),
    ] = 1.0
    tls: TlsSettings = NO_TLS
    links: Annotated[
        tuple[RegionRelays, ...],
        RELOADS,
        Meta(
            description="The relays of each other region, all of which this relay dials: "
            "`[[relay.links]]` with `region` and `relays`, addresses as in `mesh.relays`. A region "
            "that is not here can't be reached."
        ),
    ] = ()
    regions: Regions = ONE_REGION

    def __post_init__(self) -> None:
        """Refuse links to a region twice, or to one that there is not, and addresses that are
        encrypted without a certificate, or not with one."""
        refuse_bad_links(self.links, self.regions, tls=self.tls.on)
        for key in ("listen", "advertise"):
            refuse_bad_scheme(key, getattr(self, key), tls=self.tls.on)


def refuse_bad_scheme(key: str, address: str, *, tls: bool) -> None:
    """Raise `ValueError` that names `key` unless its address, if there is one, fits to `tls`."""
    try:
        if address:
            refuse_other_scheme(address, tls=tls)
    except BadAddressError as error:
        raise ValueError(f"{key}: {error}") from error
