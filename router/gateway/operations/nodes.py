"""What an operator may ask about nodes: how all of them are, and that one drains."""

from collections.abc import Callable

import msgspec
import structlog

from backends.errors import StoreUnavailableError
from backends.leases.interface import Registry
from proto.errors import ErrorCode, RequestError
from router.gateway.authority import Authority
from router.gateway.operation import Access, Call, Operation
from router.gateway.operations.overview import Overview, overview
from router.gateway.other_regions import OtherRegions
from router.gateway.rules import View
from router.gateway.scopes import Scope
from router.gateway.settings import GatewaySettings
from router.presence import Presence

RETRY_AFTER_MS = 1000

log = structlog.get_logger()


class Drained(msgspec.Struct, frozen=True):
    """The node that was told to drain, and which life of it."""

    node: str
    incarnation: str


class NodeOperations:
    """Status of all nodes, and draining of one; `current` returns the settings that hold now."""

    def __init__(
        self,
        registry: Registry,
        presence: Presence,
        rules: View,
        others: OtherRegions,
        authority: Authority,
        current: Callable[[], GatewaySettings],
        now_s: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._presence = presence
        self._rules = rules
        self._others = others
        self._authority = authority
        self._current = current
        self._now_s = now_s

    def operations(self) -> list[Operation]:
        """Return what an operator may ask."""
        return [
            Operation(
                name="getStatus",
                method="GET",
                path="/v1/status",
                summary="Show every node, the links, the hottest rooms, and what to look at.",
                handle=self.status,
                gives=Overview,
                needs=Access.ANYBODY,
                waits=False,
                errors=(ErrorCode.TOKEN_INVALID, ErrorCode.TOKEN_EXPIRED, ErrorCode.FORBIDDEN),
            ),
            Operation(
                name="drainNode",
                method="POST",
                path="/v1/nodes/{node}/drain",
                summary="Have the life of a node that is known now hand over its work and end.",
                handle=self.drain,
                gives=Drained,
                needs=Scope.OPERATE,
                changes=True,
                errors=(ErrorCode.NOT_FOUND,),
            ),
        ]

    async def status(self, call: Call, _: None) -> Overview:
        """Return each node, the links, the hottest rooms, and what somebody should look at; to
        anybody where `open_status` says so."""
        if not self._current().open_status:
            self._authority.caller(call.authorization).require(Scope.OPERATE)
        await self._others.look()
        seen, rules, others = self._presence, self._rules.by_room.values(), self._others
        now_s = self._now_s()
        return overview(seen.leases, rules, seen.lost, others.own, others.nodes, now_s)

    async def drain(self, call: Call, _: None) -> Drained:
        """Order the node in the path to drain; returns which life of it was told so."""
        node = call.path["node"]
        try:
            incarnation = await self._registry.order_drain(node)
        except StoreUnavailableError:
            raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS) from None
        if incarnation is None:
            message = f"No node {node} lives; GET /v1/status lists those that do."
            raise RequestError(ErrorCode.NOT_FOUND, message, field="node")
        log.info("drain_ordered", node_to_drain=node, incarnation=incarnation, by=call.caller.id)
        return Drained(node, incarnation)
