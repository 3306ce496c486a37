"""What the cluster says of the room's heat, several times a second, and what the viewers do."""

from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, NamedTuple

import trio

from bench.cluster import Cluster
from bench.hot_room.crowd import Crowd
from bench.hot_room.crowd_child import DEDICATED

SAMPLE_S = 0.2


class Sample(NamedTuple):
    """One look at the room."""

    at_s: float
    state: str
    ordinary: int
    dedicated: int
    """Viewers on ordinary and on dedicated nodes."""


@dataclass
class HeatLog:
    """The samples of a run, in order."""

    samples: list[Sample] = field(default_factory=list)
    entered: list[tuple[str, float]] = field(default_factory=list)
    """Each state and when it began."""
    changed: trio.Event = field(default_factory=trio.Event)

    @property
    def states(self) -> list[str]:
        """The states that the room went through."""
        return [state for state, _ in self.entered]

    @property
    def state(self) -> str:
        """The state that the room is in, as last seen; "" before."""
        return self.entered[-1][0] if self.entered else ""

    def take(self, sample: Sample) -> None:
        """Note a sample."""
        self.samples.append(sample)
        if self.state != sample.state:
            self.entered.append((sample.state, sample.at_s))
            self.changed.set()
            self.changed = trio.Event()

    def phases_s(self) -> dict[str, float]:
        """Return how long each state lasted that has ended, `normal` only where it was left."""
        ends = [at_s for _, at_s in self.entered[1:]]
        found: dict[str, float] = {}
        for (state, began_s), end_s in zip(self.entered, ends, strict=False):
            found[state] = round(found.get(state, 0.0) + end_s - began_s, 1)
        return found

    def most_dedicated(self) -> int:
        """Return how many viewers were on dedicated nodes at most."""
        return max((sample.dedicated for sample in self.samples), default=0)

    async def reached(self, state: str, limit_s: float) -> bool:
        """Wait until the room is in `state`, at most `limit_s`; says whether it is."""
        with trio.move_on_after(limit_s):
            while self.state != state:
                await self.changed.wait()
            return True
        return False


async def follow(cluster: Cluster, room: str, crowd: Crowd, log: HeatLog) -> None:
    """Look at the room until cancelled."""
    began_s = trio.current_time()
    while True:
        if heat := await heat_of(cluster, room):
            at = crowd.at
            dedicated = sum(count for node, count in at.items() if DEDICATED in node)
            at_s = trio.current_time() - began_s
            log.take(Sample(at_s, heat["state"], at.total() - dedicated, dedicated))
        await trio.sleep(SAMPLE_S)


async def heat_of(cluster: Cluster, room: str) -> dict[str, Any]:
    """Return what a gateway says of the room, nothing while none can say."""
    token = cluster.token("demo", server=True)
    for gateway in cluster.gateways():
        try:
            path = f"/v1/rooms/{room}/heat"
            return dict(await cluster.get_json(path, token=token, gateway=gateway))
        except (OSError, HTTPException, ValueError):
            continue  # it was killed, or its store was
    return {}
