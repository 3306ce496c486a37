"""Regions in the network namespaces that `scripts/netns.sh` makes: a namespace a host."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.redis.server import Redis, config_text, socket_path
from bench.regions.description import Description, Host
from bench.regions.place import LANES, Link, PlaceError, three_urls

SCRIPT = Path(__file__).parents[2] / "scripts" / "netns.sh"
CANNOT = 77
"""Exit code of the script where namespaces can't be made."""

PORTS = {"http": 7700, "urgent": 7730, "normal": 7731, "bulk": 7732, "websocket": 7740}
STORE_PORT = 6379
FIRST_BYTES = {"relay": 10, "access": 20, "router": 30, "logic": 40, "store": 50}
"""Where a role's addresses begin in its region's network: see the script."""


class CannotError(PlaceError):
    """Namespaces can't be made on this machine."""


class Namespaces:
    """Implements `Place`. Those of an earlier `up` are used and stay; others go with `close`."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._prefix = os.environ.get("NETNS_PREFIX", "rm-")
        self._net = os.environ.get("NETNS_NET", "10.77")
        self._ours = False

    def open(self, state: Path) -> None:  # noqa: ARG002
        """See `Place`. Raises `CannotError` where namespaces can't be made."""
        self._ours = _script("status", may_fail=True).returncode != 0
        _script("up", environment=self._wanted())
        _script("link", "all", f"{Link().delay_ms:g}", "0", "up")

    def close(self) -> None:
        """See `Place`."""
        if self._ours:
            _script("down")

    def address(self, host: Host, port: str) -> str:
        """See `Place`."""
        return f"{self._ip(host)}:{PORTS[port]}"

    def dialled(self, relay: Host, by: str) -> str:  # noqa: ARG002
        """See `Place`."""
        return three_urls([self.address(relay, lane) for lane in LANES])

    def command(self, host: Host, argv: Sequence[str]) -> list[str]:
        """See `Place`."""
        return ["ip", "netns", "exec", f"{self._prefix}{host}", *argv]

    def redis(self, host: Host, program: Path, folder: Path, password: str) -> Redis:
        """See `Place`. It listens at its socket as well, for those who wait until it serves."""
        socket = socket_path(folder)
        config = folder / "redis.conf"
        listening = f"port {STORE_PORT}\nbind {self._ip(host)}\n"
        config.write_text(config_text(folder, socket, password) + listening)
        return Redis(str(host), (str(program), str(config)), socket, password)

    def redis_url(self, host: Host, redis: Redis) -> str:
        """See `Place`."""
        return f"redis://:{redis.password}@{self._ip(host)}:{STORE_PORT}/0"

    def set_link(self, region: str, link: Link) -> None:
        """See `Place`."""
        stands = "up" if link.up else "cut"
        _script("link", region, f"{link.delay_ms:g}", f"{link.loss_percent:g}", stands)

    def _wanted(self) -> dict[str, str]:
        wanted = self._description
        return {
            "REGIONS": " ".join(wanted.names),
            "RELAYS": str(wanted.relays + wanted.spare_relays),
            "ACCESS": str(wanted.access + bool(wanted.dedicated)),
            "ROUTERS": str(wanted.routers),
            "LOGICS": str(wanted.logics),
        }

    def _ip(self, host: Host) -> str:
        region = self._description.names.index(host.region) + 1
        return f"{self._net}.{region}.{FIRST_BYTES[host.role] + host.number}"


def _script(
    *arguments: str, may_fail: bool = False, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(SCRIPT), *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == CANNOT:
        raise CannotError(done.stderr.strip())
    if done.returncode and not may_fail:
        raise PlaceError(done.stderr.strip())
    return done
