"""Regions on the loopback: each process has ports of its own, and `wan` carries what crosses."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from backends.redis.server import Redis, config_text, socket_path
from bench.ports import free_port_base
from bench.regions.description import Description, Host
from bench.regions.place import LANES, Link, PlaceError, three_urls

HOST = "127.0.0.1"
SPAN = 240


class Loopback:
    """Implements `Place`."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._links = {name: Link() for name in description.names}
        self._free = count(free_port_base(SPAN))
        self._ports: dict[tuple[str, ...], int] = {}
        self._state: Path | None = None
        self._wan: subprocess.Popen[bytes] | None = None

    def open(self, state: Path) -> None:
        """See `Place`."""
        self._state = state
        (state / "forwards").write_text("".join(self._forwards()))
        self._write_links()
        command = [sys.executable, "-P", "-m", "bench.regions.wan", str(state)]
        self._wan = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._wan.stdout is not None
        if self._wan.stdout.readline() != b"ready\n":
            raise PlaceError("what carries between the regions does not start")

    def close(self) -> None:
        """See `Place`."""
        if self._wan is not None:
            self._wan.kill()
            self._wan.communicate()

    def address(self, host: Host, port: str) -> str:
        """See `Place`."""
        return f"{HOST}:{self._port(*host, port)}"

    def dialled(self, relay: Host, by: str) -> str:
        """See `Place`."""
        over = () if by == relay.region else (by,)
        return three_urls([f"{HOST}:{self._port(*relay, lane, *over)}" for lane in LANES])

    def command(self, host: Host, argv: Sequence[str]) -> list[str]:  # noqa: ARG002
        """See `Place`."""
        return list(argv)

    def redis(self, host: Host, program: Path, folder: Path, password: str) -> Redis:
        """See `Place`."""
        socket = socket_path(folder)
        config = folder / "redis.conf"
        config.write_text(config_text(folder, socket, password))
        return Redis(str(host), (str(program), str(config)), socket, password)

    def redis_url(self, host: Host, redis: Redis) -> str:  # noqa: ARG002
        """See `Place`."""
        return redis.url

    def set_link(self, region: str, link: Link) -> None:
        """See `Place`."""
        self._links[region] = link
        self._write_links()
        assert self._wan is not None
        self._wan.send_signal(signal.SIGHUP)

    def _port(self, *names: str) -> int:
        """Return the port for what is called so, the same each time."""
        found = self._ports.get(names)
        return found or self._ports.setdefault(names, next(self._free))

    def _forwards(self) -> list[str]:
        names = self._description.names
        return [
            f"{self._port(*relay, lane, by)} {self._port(*relay, lane)} {by} {relay.region}\n"
            for by in names
            for region in names
            if region != by
            for relay in self._description.relays_of(region)
            for lane in LANES
        ]

    def _write_links(self) -> None:
        assert self._state is not None
        new = self._state / "links.new"
        new.write_text(
            "".join(
                f"{name} {link.delay_ms} {link.loss_percent} {'up' if link.up else 'cut'}\n"
                for name, link in self._links.items()
            )
        )
        new.replace(self._state / "links")
