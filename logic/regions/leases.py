"""Each node of this region, for the status of gateways in other regions."""

from dataclasses import replace

import msgspec

from backends.errors import StoreUnavailableError
from backends.leases.interface import Lost, NodeLease, RegionNodes, Registry
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader

LEFT_OUT = frozenset(("im", "moving", "nodes", "in_flight", "routed"))
"""What no picture of the cluster shows: an answer is one envelope, and a region has many nodes."""


class LeasesHandler:
    """Serves `Method.LEASES`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def handle(self, _header: RequestHeader, _body: bytes) -> bytes:
        """Return `RegionNodes` as JSON; raises `RequestError` while the store is away."""
        try:
            living, lost = await self._registry.living(), await self._registry.lost()
        except StoreUnavailableError:
            raise RequestError(ErrorCode.UNAVAILABLE) from None
        nodes = RegionNodes(
            [_brief(lease) for lease in living],
            [Lost(_brief(lease), silent_s) for lease, silent_s in lost],
        )
        return msgspec.json.encode(nodes)


def _brief(lease: NodeLease) -> NodeLease:
    said = {key: value for key, value in lease.status.items() if key not in LEFT_OUT}
    return replace(lease, status=said)
