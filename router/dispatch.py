"""Hands envelopes to the relays: the carrier first, the next one when it goes."""

import structlog
import trio

from mesh.interface import Mesh, RelayDownError
from proto.priorities import Priority
from router.counters import Counters

RELAY_POLL_S = 0.05
"""How long to wait for a relay to come up while none is: short beside the second that a broken
link may take to be noticed."""

SLOW_SEND_S = 0.001
"""A send that takes longer has waited for the relay."""

log = structlog.get_logger()


class Dispatch:
    """Sends until it is sent: waits while relays push back, and while none is up.

    That wait is the back pressure of the whole cluster: what is not sent is not acknowledged, so
    that the bus, and not this process, holds the backlog.
    """

    def __init__(self, mesh: Mesh, counters: Counters) -> None:
        self._mesh = mesh
        self._counters = counters

    def carrier(self, key: str) -> str:
        """Return the relay that carries `key`, or "" while none is up."""
        carriers = self._mesh.carriers(key)
        return carriers[0] if carriers else ""

    async def send(self, key: str, priority: Priority, envelope: bytes) -> None:
        """Put `envelope` on the lane of the relay that carries `key`."""
        started = trio.current_time()
        while not await self._sent(key, priority, envelope):
            self._counters.relayless_waits += 1
            await trio.sleep(RELAY_POLL_S)
        if trio.current_time() - started > SLOW_SEND_S:
            self._counters.send_waits += 1

    async def _sent(self, key: str, priority: Priority, envelope: bytes) -> bool:
        for relay in self._mesh.carriers(key):
            try:
                await self._mesh.send(relay, priority, envelope)
            except RelayDownError:
                self._counters.failovers += 1
                log.info("carrier_down", relay=relay, key=key)
            else:
                return True
        return False
