"""What one address may do: connections, handshakes, and attempts that fail. Pure.

An address that many people share (a company, a mobile network) is one here, so the limits are far
above what a person needs: they are against one machine that is after the node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backends.addresses import LOOPBACK, Proxies, network_of
from backends.rate_limit.interface import Rate
from backends.rate_limit.local import LocalRates

FULL_RETRY_S = 10.0
HANDSHAKES = Rate(500, 5000)
FAILURES = Rate(5, 100)


@dataclass(frozen=True, slots=True)
class AddressLimits:
    """The bounds of one address on one node."""

    trusted_proxies: tuple[str, ...] = LOOPBACK
    """In CIDR notation: not limited themselves, and believed about who is behind them."""
    max_connections: int = 10_000
    handshakes: Rate = HANDSHAKES
    failures: Rate = FAILURES


class Refused(NamedTuple):
    """Why an address is sent away (a label of the metric), and for how many seconds."""

    reason: str
    retry_s: float


class Addresses:
    """The addresses that are connected here. Times are seconds of one clock.

    All methods take a host; those of trusted proxies are let through and not counted.
    """

    def __init__(self, limits: AddressLimits) -> None:
        self._connections: dict[str, int] = {}
        self._handshakes, self._failures = (
            LocalRates(limits.handshakes),
            LocalRates(limits.failures),
        )
        self.reconfigured(limits)

    def __len__(self) -> int:
        return len(self._connections)

    def reconfigured(self, limits: AddressLimits) -> None:
        """Have other bounds from now on; what was used of them stays used."""
        self._limits = limits
        self._proxies = Proxies(limits.trusted_proxies)
        self._handshakes.rate, self._failures.rate = limits.handshakes, limits.failures

    def client_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return whose connection it is; see `Proxies.client_of`."""
        return self._proxies.client_of(peer, forwarded)

    def enter(self, host: str, now: float) -> Refused | None:
        """Count a handshake and its connection, which `leave` ends; or say why it is sent away."""
        if self._proxies.trusts(host):
            return None
        key = network_of(host)
        refused = self._refused(key, now)
        if refused is None:
            self._connections[key] = self._connections.get(key, 0) + 1
        return refused

    def leave(self, host: str) -> None:
        """Forget a connection that was counted."""
        key = network_of(host)
        left = self._connections.get(key, 0) - 1
        if left > 0:
            self._connections[key] = left
        else:
            self._connections.pop(key, None)

    def failed(self, host: str, now: float) -> None:
        """Count a handshake or a token that was of no use."""
        if not self._proxies.trusts(host):
            self._failures.take(network_of(host), now)

    def _refused(self, key: str, now: float) -> Refused | None:
        if self._connections.get(key, 0) >= self._limits.max_connections:
            return Refused("address_full", FULL_RETRY_S)
        if (wait_s := self._failures.wait_s(key, now)) > 0:
            return Refused("address_failures", wait_s)
        if (wait_s := self._handshakes.take(key, now)) > 0:
            return Refused("address_rate", wait_s)
        return None


def host_of(address: str) -> str:
    """Return the host of `host:port` and `[host]:port`; "" of a Unix socket's."""
    return address.rpartition(":")[0].strip("[]")
