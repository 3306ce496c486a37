"""Kills processes of a cluster with SIGKILL, each part as often as any other, in a seeded order."""

import itertools
import os
import random
import signal
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import trio

from bench.broker import Broker
from bench.cluster import Cluster

PARTS = ("access", "relay", "router", "logic", "redis", "bus")
DEDICATED = "dedicated"
"""The access nodes of a hot room, which come and go; `access` are the others."""

PROCESSES = {"redis": "redis-store", "bus": "redis-bus", DEDICATED: "access-hot-"}

F = TypeVar("F", bound=Callable[..., Any])


class Killer:
    """Knows how to kill each part; what it has killed is in `killed`.

    `broker` is the bus where the cluster does not run it itself. `others` kill what the cluster
    does not run either, by the part's name.
    """

    def __init__(
        self,
        cluster: Cluster,
        chance: random.Random,
        broker: Broker | None = None,
        others: Mapping[str, Callable[[], None]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._chance = chance
        self._broker = broker
        self._others = dict(others or {})
        self.killed: list[str] = []

    def order(self, parts: list[str], kills: int) -> list[str]:
        """Return what to kill, one after the other."""
        order = [part for part, _ in zip(itertools.cycle(parts), range(kills), strict=False)]
        self._chance.shuffle(order)
        return order

    async def kill(self, part: str, starting: trio.Nursery) -> None:
        """Kill one process of `part`; what has to be started again comes back in `starting`."""
        if part in self._others:
            await trio.to_thread.run_sync(self._others[part])
            self.killed.append(part)
        elif part == "bus" and self._broker:
            await self._broker.kill(starting)
            self.killed.append(part)
        elif self._kill_process(part):
            self.killed.append(part)

    def _kill_process(self, part: str) -> bool:
        """Kill a process of the cluster; false where none of that part runs at this moment."""
        victims = {name: pid for name, pid in self._cluster.pids().items() if part_of(name) == part}
        if not victims:
            return False
        try:
            os.kill(victims[self._chance.choice(sorted(victims))], signal.SIGKILL)
        except ProcessLookupError:
            return False  # it has just ended, and is being started again
        return True


def part_of(name: str) -> str:
    """Return the part that the process `name` of a cluster belongs to."""
    for part, prefix in PROCESSES.items():
        if name.startswith(prefix):
            return part
    return name.partition("-")[0]


def parts_option(
    known: tuple[str, ...], default: tuple[str, ...] = PARTS
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Return the option `--kill`: some of the `known` parts, `default` if it is not given."""

    def parse(_: click.Context, __: click.Parameter, value: str) -> list[str]:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        for part in parts:
            if part not in known:
                raise click.BadParameter(f"{part!r} is none of {', '.join(known)}")
        if not parts:
            raise click.BadParameter(f"name some of {', '.join(known)}")
        return parts

    return click.option(
        "--kill", "parts", default=",".join(default), callback=parse, show_default=True
    )
