"""The run itself, and its command."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import click
import trio

from bench.cluster import Cluster, running_cluster
from bench.hot_room.copies import copies
from bench.hot_room.crowd import Crowd, gathering
from bench.hot_room.heat_log import HeatLog, follow
from bench.hot_room.plot import plot
from bench.hot_room.senders import Talk, talk
from bench.room import print_result

ROOM = "stage"
STAY_SHARE = 0.3
"""Viewers that stay after the show, as a share of the threshold: so few that the room cools."""

MOVE_S = 6.0
"""In which all viewers are to move; it sets the rate."""

HEAT_S = 30.0
COOL_S = 40.0
SETTLE_S = 10.0
NODES = ("--access", "4", "--relays", "2", "--routers", "1", "--logics", "1")


class Show(NamedTuple):
    """What the command was asked for."""

    viewers: int
    threshold: int

    @property
    def move_rate_per_s(self) -> float:
        """Viewers that may move in a second."""
        return round(self.viewers / MOVE_S)

    def settings(self) -> list[str]:
        """Return the flags of `up`: thresholds, and times that suit a demo."""
        heat = {
            "online": self.threshold,
            "rise_s": 1,
            "fall_s": 2,
            "prepare_s": 20,
            "move_rate_per_s": self.move_rate_per_s,
            "stragglers_s": 5,
            "viewers_per_node": max(1, self.viewers // 2),
            "headroom": 1,
            "max_nodes": 2,
        }
        flags = [f"router.heat.{name}={value}" for name, value in heat.items()]
        return [word for flag in flags for word in ("--set", flag)]


async def run(show: Show) -> tuple[dict[str, Any], HeatLog]:
    """Run the whole show; returns what is printed, and what was seen of the room."""
    story, log = Talk(ROOM), HeatLog()
    async with running_cluster(*NODES, *show.settings()) as cluster, trio.open_nursery() as nursery:
        await nursery.start(talk, cluster, story)
        before = await copies(cluster)
        secret = json.loads((cluster.state_dir / "secrets.json").read_text())["token_secret"]
        per_s = show.viewers / MOVE_S
        async with gathering(cluster.gateway, secret, ROOM, show.viewers, per_s) as crowd:
            nursery.start_soon(follow, cluster, ROOM, crowd, log)
            after = await _heat_and_cool(cluster, show, crowd, log)
            story.over.set()
            await _settle(story)
            await crowd.end()
        nursery.cancel_scope.cancel()
    return report(show, story, crowd, log) | {"copies_before": before, "copies_after": after}, log


async def _heat_and_cool(cluster: Cluster, show: Show, crowd: Crowd, log: HeatLog) -> float:
    """See the room through; returns the copies of a message while it was hot."""
    if not await log.reached("hot", HEAT_S):
        return 0.0
    after = await copies(cluster)
    await crowd.keep(round(show.threshold * STAY_SHARE))
    await log.reached("normal", COOL_S)
    return after


async def _settle(story: Talk) -> None:
    with trio.move_on_after(SETTLE_S):
        while story.lost() or len(story.acked) < story.sent:
            await trio.sleep(0.1)
    await trio.sleep(2.0)  # What a head tells of is repaired within a second.


def report(show: Show, story: Talk, crowd: Crowd, log: HeatLog) -> dict[str, Any]:
    """Return what is printed, the copies and `ok` aside."""
    behind = sum(
        max(0, story.heads.get(label, 0) - position.get(label, 0))
        for one in crowd.reports
        for position in one.positions
        for label in story.heads
    )
    return {
        "states": log.states,
        "phases_s": log.phases_s(),
        "viewers": show.viewers,
        "moved": crowd.sum("moved"),
        "moved_back": crowd.sum("moved_back"),
        "on_dedicated": log.most_dedicated(),
        "sent": story.sent,
        "acked": len(story.acked),
        "likes": story.likes,
        "lost": crowd.sum("lost") + behind + story.lost(),
        "doubled": crowd.sum("doubled") + story.doubled(),
        "told": crowd.sum("told") + sum(witness.told for witness in story.witnesses),
        "unexpected": crowd.reasons,
        "refused": crowd.sum("refused"),
        "reconnects_per_s": crowd.busiest_s,
        "move_rate_per_s": show.move_rate_per_s,
    }


WHOLE_WAY = ["normal", "preparing", "moving", "hot", "cooling", "normal"]


@click.command("hot-room")
@click.option("--viewers", default=1500, show_default=True, type=click.IntRange(10, 10_000))
@click.option("--threshold", default=500, show_default=True, type=click.IntRange(5, 10_000))
@click.option("--plot", "picture", type=click.Path(path_type=Path, dir_okay=False), help="To file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(viewers: int, threshold: int, picture: Path | None, as_json: bool) -> None:
    """Let a room become hot under its viewers, and cool again."""
    if threshold >= viewers:
        raise click.BadParameter(
            f"expected less than --viewers ({viewers}), got {threshold}", param_hint="--threshold"
        )
    result, log = trio.run(run, Show(viewers, threshold))
    clean = not (result["lost"] or result["doubled"])
    result["ok"] = clean and result["states"] == WHOLE_WAY and result["moved"] > 0
    if picture and log.samples:
        plot(log, picture)
    print_result(result, as_json)
