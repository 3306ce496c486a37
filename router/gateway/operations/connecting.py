"""Where a client connects."""

from collections.abc import Callable

import msgspec
import trio

from proto.errors import ErrorCode, RequestError
from router.gateway.balance import Balance, Endpoint, for_pool
from router.gateway.bodies import Room
from router.gateway.counters import GatewayCounters
from router.gateway.operation import Access, Call, Operation
from router.gateway.rules import View
from router.gateway.settings import GatewaySettings
from router.presence import Presence

CONNECT_PATH = "/v1/connect"

RETRY_AFTER_MS = 1000
"""A node that starts, or that comes back, says so within a second."""


class ConnectFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The room that the client is about to join; one that listens to its own pushes alone names
    none."""

    room: Room | None = None


class Endpoints(msgspec.Struct, frozen=True):
    """Where to connect, the best first."""

    endpoints: list[Endpoint]


class ConnectOperations:
    """Names access nodes; `current` returns the settings that hold now."""

    def __init__(
        self,
        presence: Presence,
        balance: Balance,
        rules: View,
        counters: GatewayCounters,
        current: Callable[[], GatewaySettings],
    ) -> None:
        self._presence = presence
        self._balance = balance
        self._rules = rules
        self._counters = counters
        self._current = current

    def operations(self) -> list[Operation]:
        """Return what a client asks first."""
        return [
            Operation(
                name="connect",
                method="GET",
                path=CONNECT_PATH,
                summary="Name the access nodes that take connections, the least loaded first.",
                handle=self.connect,
                takes=ConnectFor,
                gives=Endpoints,
                needs=Access.TOKEN,
                waits=False,
                cross_origin=True,
            )
        ]

    async def connect(self, call: Call, asked: ConnectFor) -> Endpoints:
        """Return where the token's holder connects, for a room if it names one."""
        room = asked.room
        pool = "" if room is None else self._rules.pool_for(room, trio.current_time())
        nodes = for_pool(self._presence.living("access"), pool)
        most = self._current().max_endpoints
        endpoints = self._balance.choose(call.caller.id, nodes, most)
        if not endpoints:
            message = "No access node takes connections at the moment."
            raise RequestError(ErrorCode.UNAVAILABLE, message, retry_after_ms=RETRY_AFTER_MS)
        self._counters.connects += 1
        return Endpoints(endpoints)
