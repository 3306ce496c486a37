"""Who a client is by its address: what proxies that are trusted say, and what counts as one."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
LOOPBACK = ("127.0.0.0/8", "::1/128")
IPV6_PREFIX_BITS = 64
"""One line has a whole /64 of addresses (RFC 6177), and its holder may use each."""


class Proxies:
    """The proxies whose `X-Forwarded-For` is believed; `networks` are in CIDR notation.

    Raises `ValueError` that names what is no network.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(map(_network, networks))
        self.trusts = lru_cache(maxsize=4096)(self._trusts)
        """Say whether a host is such a proxy; what is no IP address (a Unix socket) is."""

    def client_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the client's address: the peer's or, where that is trusted, the last one in the
        `X-Forwarded-For` headers that is not.

        What stands before that one the client may have written itself. An entry that is no address
        ends the search at the proxy that passed it on.
        """
        client = peer
        for entry in reversed(",".join(forwarded).split(",")):
            address = _address(_without_port(entry.strip()))
            if address is None or not self.trusts(client):
                break
            client = str(address)
        return client

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is None or any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return what limits count as one address: of IPv6 its /64."""
    address = _address(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return host if address is None else str(address)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"expected addresses in CIDR notation such as 10.0.0.0/8, got {text!r}: {error}"
        ) from None


def _address(host: str) -> Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(entry: str) -> str:
    """Return the host of `1.2.3.4:80` and `[::1]:80`, as some proxies write."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
