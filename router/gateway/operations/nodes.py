"""What an operator may ask of single nodes: to drain."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from backends.errors import StoreUnavailableError
from backends.leases.interface import Registry
from proto.errors import ErrorCode, RequestError
from proto.ids import is_node
from router.gateway.authority import Authority
from router.gateway.endpoint import answer

RETRY_AFTER_MS = 1000

log = structlog.get_logger()


class Nodes:
    """Handlers for `/v1/nodes/…`, for holders of a server's token."""

    def __init__(self, authority: Authority, registry: Registry) -> None:
        self._authority = authority
        self._registry = registry

    async def drain(self, request: Request) -> Response:
        """Order the node in the path to drain; answers which life of it was told so."""
        claims = self._authority.server(request)
        node = request.path_params["node"]
        if not is_node(node):
            message = "Name a node: 1 to 63 of the characters a-z 0-9 -"
            raise RequestError(ErrorCode.BAD_FRAME, message, field="node")
        try:
            incarnation = await self._registry.order_drain(node)
        except StoreUnavailableError:
            raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS) from None
        if incarnation is None:
            message = f"No node {node} lives; GET /v1/status lists those that do."
            raise RequestError(ErrorCode.NOT_FOUND, message, field="node")
        log.info("drain_ordered", node_to_drain=node, incarnation=incarnation, by=claims.sub)
        return answer({"node": node, "incarnation": incarnation})
