"""Which relays a node dials while it runs: those of its config file, or those that have leases."""

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease, Registry
from mesh.addresses import BadAddressError, lane_urls, refuse_other_scheme
from mesh.node import MeshNode

INTERVAL_S = 1.0
"""As often as relays renew their leases: a new one is dialled within a second or two."""

LANES_KEY = "lanes"
"""Where a relay's lease says by which address it is dialled."""

log = structlog.get_logger()


async def discover(registry: Registry, region: str, mesh: MeshNode) -> None:
    """Have `mesh` dial the relays of `region` that live, for ever.

    A relay that is connected stays, whatever the store says or has lost: only one that is neither
    connected nor has a lease is dialled no longer. So is one that is not encrypted, if the mesh is.
    """
    tls = mesh.certificate is not None
    while True:
        try:
            found = addresses(await registry.living("relay"), region, tls=tls)
        except StoreUnavailableError as error:
            log.info("relays_unknown", reason=str(error))
        else:
            mesh.set_relays(found | {",".join(each.urls) for each in mesh.up.values()})
        await trio.sleep(INTERVAL_S)


def addresses(leases: list[NodeLease], region: str, *, tls: bool = False) -> set[str]:
    """Return the addresses of the relays of `region`, each as its three lanes: those that are
    encrypted, with `tls`, or else those that are not."""
    found = set()
    for lease in leases:
        try:
            if lease.region == region:
                lanes = ",".join(lane_urls(str(lease.status.get(LANES_KEY, ""))))
                refuse_other_scheme(lanes, tls=tls)
                found.add(lanes)
        except BadAddressError as error:
            log.warning("relay_not_dialled", relay=lease.node, reason=str(error))
    return found
