"""A show: how many come to a room, when it is hot, and what became of it. For all who stage one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import trio

from bench.cluster import Cluster
from bench.hot_room.crowd import Crowd, gathering
from bench.hot_room.heat_log import HeatLog
from bench.hot_room.senders import Talk

ROOM = "stage"
REPAIRED_S = 2.0
"""What a head tells of is repaired within a second."""


class Show(NamedTuple):
    """What is staged."""

    viewers: int
    threshold: int
    come_s: float
    """The time in which all viewers come."""
    move_rate_per_s: float
    """Viewers that may move in a second."""
    nodes: int = 2
    """Dedicated nodes."""

    def settings(self, **heat: float) -> list[str]:
        """Return the flags of `up`: thresholds, and times that suit a show; `heat` says others."""
        all_heat = {
            "online": self.threshold,
            "rise_s": 1,
            "fall_s": 2,
            "prepare_s": 20,
            "move_rate_per_s": self.move_rate_per_s,
            "stragglers_s": 5,
            "viewers_per_node": max(1, self.viewers // self.nodes),
            "max_nodes": self.nodes,
        } | heat
        flags = [f"router.heat.{name}={value}" for name, value in all_heat.items()]
        # Nodes that everybody has left soon take no copies any more.
        flags.append("access.room.linger_s=1")
        return [word for flag in flags for word in ("--set", flag)]

    @asynccontextmanager
    async def crowd(self, cluster: Cluster) -> AsyncIterator[Crowd]:
        """Have the viewers come."""
        per_s = self.viewers / self.come_s
        secret, gateways = cluster.secret(), cluster.gateways()
        async with gathering(gateways, secret, ROOM, self.viewers, per_s) as crowd:
            yield crowd


async def settle(story: Talk, limit_s: float) -> None:
    """End the talk, and wait until all that was said has come, at most about `limit_s`."""
    story.over.set()
    with trio.move_on_after(limit_s):
        while story.lost() or len(story.acked) < story.sent:
            await trio.sleep(0.1)
    await trio.sleep(REPAIRED_S)


def outcome(story: Talk, crowd: Crowd, log: HeatLog) -> dict[str, Any]:
    """Return what became of the room, of its viewers and of what was said."""
    behind = sum(
        max(0, story.heads.get(label, 0) - position.get(label, 0))
        for one in crowd.reports
        for position in one.positions
        for label in story.heads
    )
    return {
        "states": log.states,
        "phases_s": log.phases_s(),
        "moved": crowd.sum("moved"),
        "moved_back": crowd.sum("moved_back"),
        "sent": story.sent,
        "acked": len(story.acked),
        "lost": crowd.sum("lost") + behind + story.lost(),
        "doubled": crowd.sum("doubled") + story.doubled(),
        "told": crowd.sum("told") + sum(witness.told for witness in story.witnesses),
        "unexpected": crowd.reasons,
        "refused": crowd.sum("refused"),
    }
