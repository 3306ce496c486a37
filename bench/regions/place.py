"""Where regions run: on the loopback, or in network namespaces. One suite of tests runs in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.redis.server import Redis
from bench.regions.description import Host

LANES = ("urgent", "normal", "bulk")


class PlaceError(Exception):
    """The place can't be had here, or does not do as it should; the message is for a user."""


@dataclass(frozen=True)
class Link:
    """How what lies between a region and the others behaves: round trip in ms, loss in percent of
    the packets each way, and whether it carries anything."""

    delay_ms: float = 80.0
    loss_percent: float = 0.0
    up: bool = True


class Place(Protocol):
    """Gives processes addresses, runs them, and holds the links between regions."""

    def open(self, state: Path) -> None:
        """Make ready; `state` is a folder for its own use. Raises `PlaceError`."""

    def close(self) -> None:
        """Leave nothing behind."""

    def address(self, host: Host, port: str) -> str:
        """Return HOST:PORT at which `host` listens for what `port` names: `http`, `websocket` or a
        lane. It can be reached from this process too."""

    def dialled(self, relay: Host, by: str) -> str:
        """Return the address of the relay's lanes for nodes in the region `by`."""

    def command(self, host: Host, argv: Sequence[str]) -> list[str]:
        """Return what runs `argv` as a process of `host`."""

    def redis(self, host: Host, program: Path, folder: Path, password: str) -> Redis:
        """Write the config of a region's Redis into `folder`; returns it."""

    def redis_url(self, host: Host, redis: Redis) -> str:
        """Return how the nodes of its region reach it."""

    def set_link(self, region: str, link: Link) -> None:
        """Have the link between `region` and all others behave so from now on."""


def three_urls(addresses: Sequence[str]) -> str:
    """Return an address of a relay whose lanes are at `addresses`, HOST:PORT each."""
    return ",".join(f"tls+tcp://{address}" for address in addresses)
