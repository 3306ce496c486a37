"""Regions that run: started, killed, cut off and asked, whatever place they are in."""

import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import trio

from backends.redis.server import wait_until_serving
from bench.certificates import make_certificates
from bench.cluster import TOKEN_LIFE_S, receipt_for, samples
from bench.regions import http
from bench.regions.children import FD, Child, guarded
from bench.regions.description import STORE, Description, Host
from bench.regions.folder import Folder
from bench.regions.place import Link, Place, PlaceError
from bench.regions.tables import Shared
from proto.tokens import Claims, mint

START_LIMIT_S = 60.0
POLL_S = 0.02
ROLES = ("access", "relay", "router", "logic")


class World:
    """All regions of a description in a place. `state` is a folder for configs, logs and data.

    What starts processes must be called from the main thread (see `Child`).
    """

    def __init__(
        self,
        description: Description,
        place: Place,
        state: Path,
        *,
        sets: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self.description = description
        self.place = place
        self._links = {name: Link() for name in description.names}
        self._folder = Folder(state, place, description.names)
        self._children: dict[Host, Child] = {}
        relays = {name: description.relays_of(name) for name in description.names}
        self._shared = Shared(
            description,
            place,
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            {name: all_of[: description.relays] for name, all_of in relays.items()},
            make_certificates(state / "certs", *ROLES),
            sets or {},
        )
        self._write_configs()

    # Regions and nodes.

    def start_region(self, region: str) -> None:
        """Start all that belongs to a region; returns at once, see `ready`."""
        self._start(Host(region, STORE))
        for host in self.hosts(region):
            self._start(host)

    def kill_region(self, region: str) -> None:
        """End every process of a region with SIGKILL, its Redis last."""
        for host in (*self.hosts(region), Host(region, STORE)):
            self._children[host].kill()

    def start(self, *hosts: Host) -> None:
        """Start nodes again; returns at once, see `ready`."""
        for host in hosts:
            self._start(host)

    def kill(self, *hosts: Host) -> None:
        """End nodes with SIGKILL."""
        for host in hosts:
            self._children[host].kill()

    async def ready(self, *regions: str) -> None:
        """Wait until all nodes of `regions` (none named: of all) do their work.

        Raises `PlaceError` when one has ended, or is not ready within a minute.
        """
        for region in regions or self.description.names:
            with trio.move_on_after(START_LIMIT_S):
                await wait_until_serving(self._folder.stores[region])
            for host in self.hosts(region):
                await self._ready(host)

    async def linked(self) -> None:
        """Wait until every relay has every relay of the other regions both ways.

        Raises `PlaceError` when that takes longer than a minute.
        """
        with trio.move_on_after(START_LIMIT_S):
            while not all([await self._is_linked(name) for name in self.description.names]):
                await trio.sleep(POLL_S)
            return
        raise PlaceError(f"the relays of the regions are not linked after {START_LIMIT_S:g} s")

    def hosts(self, region: str, role: str = "") -> list[Host]:
        """Return the nodes that a region has now, or those of a role."""
        nodes = [host for host in self.description.hosts(region) if host.role != "relay"]
        return [host for host in (*self.relays(region), *nodes) if role in ("", host.role)]

    def relays(self, region: str) -> list[Host]:
        """Return the relays that a region has now."""
        return list(self._shared.relays[region])

    def add_relay(self, region: str) -> Host:
        """Start one more relay in a region; returns it. Everybody reads its config again."""
        present = self._shared.relays[region]
        new = next(each for each in self.description.relays_of(region) if each not in present)
        present.append(new)
        self._write_configs()
        self._start(new)
        return new

    def remove_relay(self, relay: Host) -> None:
        """Tell everybody that a relay is no longer one. It still runs: `kill` or drain it then."""
        self._shared.relays[relay.region].remove(relay)
        self._write_configs()

    # Links.

    def set_link(self, region: str, **changes: float | bool) -> None:
        """Change `delay_ms`, `loss_percent` or `up` of the link between `region` and all others."""
        link = replace(self._links[region], **changes)  # type: ignore[arg-type]
        if link != self._links[region]:
            self._links[region] = link
            self.place.set_link(region, link)

    def cut(self, region: str) -> None:
        """Have nothing pass between `region` and the others."""
        self.set_link(region, up=False)

    def heal(self, region: str) -> None:
        """Have the link carry all again, without loss."""
        self.set_link(region, up=True, loss_percent=0.0)

    # What clients and operators need.

    def gateway(self, region: str) -> str:
        """URL of the gateway of a region."""
        return f"http://{self.place.address(Host(region, 'router-1'), 'http')}"

    def access(self, region: str) -> list[str]:
        """URLs of the WebSockets of a region's access nodes."""
        nodes = self.hosts(region, "access")
        return [f"ws://{self.place.address(node, 'websocket')}/v1" for node in nodes]

    def token(self, uid: str, *, host: Sequence[str] = (), server: bool = False) -> str:
        """Return a token that every region takes."""
        expires = int(time.time()) + TOKEN_LIFE_S
        role: Literal["viewer", "server"] = "server" if server else "viewer"
        claims = Claims(sub=uid, name=uid, exp=expires, role=role, host=tuple(host))
        return mint(claims, self._shared.token_secret)

    def receipt(self, uid: str, room: str, gift: str, value: int) -> str:
        """Return a receipt of a gift that every region takes."""
        return receipt_for(self._shared.receipt_secret, uid, room, gift, value)

    async def ask(self, region: str, path: str, body: object = None) -> Any:
        """Ask the gateway of a region as a back end: GET, or POST where there is a `body`.

        Raises `Refused` with the gateway's error.
        """
        url = self.gateway(region) + path
        return await trio.to_thread.run_sync(
            http.ask, url, body, self.token("backend", server=True)
        )

    async def metrics(self, region: str, role: str) -> dict[str, float]:
        """Return the sums of the counters and gauges of a region's nodes of `role`, by name and
        labels."""
        sums: dict[str, float] = {}
        for host in self.hosts(region, role):
            for name, value in samples(await self.metrics_text(host)):
                sums[name] = sums.get(name, 0.0) + value
        return sums

    async def metrics_text(self, host: Host) -> str:
        """Return what a node's `/metrics` says."""
        url = f"http://{self.place.address(host, 'http')}/metrics"
        return await trio.to_thread.run_sync(http.text, url)

    def log(self, host: Host) -> str:
        """Return all that a node has logged."""
        return self._folder.log(host).read_text(errors="replace")

    # Inside.

    async def _is_linked(self, region: str) -> bool:
        up = await self.metrics(region, "relay")
        others = [name for name in self.description.names if name != region]
        return all(
            up.get(f'relaymesh_relay_region_up{{region="{other}"}}', 0)
            >= len(self.relays(region)) * len(self.relays(other))
            for other in others
        )

    def _write_configs(self) -> None:
        for region in self.description.names:
            self._folder.write_configs(region, self.hosts(region), self._shared)

    def _start(self, host: Host) -> None:
        child = self._children.setdefault(host, Child(self._folder.log(host)))
        argv = self.place.command(host, self._argv(host))
        child.start(guarded(argv) if host.role == STORE else argv)

    def _argv(self, host: Host) -> list[str]:
        if host.role == STORE:
            return list(self._folder.stores[host.region].command)
        node = [
            sys.executable,
            "-P",
            "-m",
            "ops",
            host.role,
            "--config",
            str(self._folder.config(host)),
        ]
        return [*node, "--supervisor-fd", FD]

    async def _ready(self, host: Host) -> None:
        child = self._children[host]
        with trio.move_on_after(START_LIMIT_S):
            while not child.ready():
                if not child.running:
                    raise PlaceError(f"{host} has ended: {child.last_words}")
                await trio.sleep(POLL_S)
            return
        raise PlaceError(f"{host} is not ready after {START_LIMIT_S:g} s: {child.last_words}")

    def end(self) -> None:
        """End all processes with SIGKILL."""
        for child in self._children.values():
            child.kill()


@contextmanager
def running_world(
    description: Description,
    place: Place,
    state: Path,
    *,
    sets: dict[str, dict[str, Any]] | None = None,
) -> Iterator[World]:
    """Start all regions in `place`; the world runs inside, once `await world.ready()` has returned.

    Raises `PlaceError` when the place can't be had; ends all processes, and the place, afterwards.
    """
    place.open(state)
    try:
        world = World(description, place, state, sets=sets)
        try:
            for region in description.names:
                world.start_region(region)
            yield world
        finally:
            world.end()
    finally:
        place.close()
