"""Which relays another region has: an entry of `relay.links`."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from mesh.addresses import BadAddressError, lane_urls, refuse_other_scheme
from proto.regions import Region, Regions


class RegionRelays(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One other region, and how its relays are dialled."""

    region: Region
    relays: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)]


def refuse_bad_links(links: Sequence[RegionRelays], regions: Regions, *, tls: bool) -> None:
    """Raise `ValueError` for a region that is there twice or is none of `regions`, and for an
    address that names no three lanes, or is encrypted without `tls` or not with it."""
    named = [link.region for link in links]
    for link in links:
        if named.count(link.region) > 1:
            raise ValueError(f"links: region {link.region!r} is there twice")
        if link.region not in regions.names:
            raise ValueError(f"links: region {link.region!r} is none of regions.names")
        for address in link.relays:
            _refuse_bad_address(link.region, address, tls=tls)


def _refuse_bad_address(region: str, address: str, *, tls: bool) -> None:
    try:
        lane_urls(address)
        refuse_other_scheme(address, tls=tls)
    except BadAddressError as error:
        raise ValueError(f"links: region {region!r}: {error}") from error
