"""The run itself, and its command."""

from pathlib import Path
from typing import Any

import click
import trio

from bench.cluster import Cluster, running_cluster
from bench.hot_room.copies import copies
from bench.hot_room.crowd import Crowd
from bench.hot_room.heat_log import HeatLog, follow
from bench.hot_room.plot import plot
from bench.hot_room.senders import Talk, talk
from bench.hot_room.show import ROOM, Show, outcome, settle
from bench.room import print_result

STAY_SHARE = 0.3
"""Viewers that stay after the show, as a share of the threshold: so few that the room cools."""

MOVE_S = 6.0
"""In which all viewers come, and would move at the rate that is allowed."""

HEAT_S = 90.0
COOL_S = 90.0
SETTLE_S = 10.0
NODES = ("--access", "4", "--relays", "2", "--routers", "1", "--logics", "1")


async def run(show: Show) -> tuple[dict[str, Any], HeatLog]:
    """Run the whole show; returns what is printed, and what was seen of the room."""
    story, log = Talk(ROOM), HeatLog()
    async with running_cluster(*NODES, *show.settings()) as cluster, trio.open_nursery() as nursery:
        await nursery.start(talk, cluster, story)
        before = await copies(cluster)
        async with show.crowd(cluster) as crowd:
            nursery.start_soon(follow, cluster, ROOM, crowd, log)
            after = await _heat_and_cool(cluster, show, crowd, log)
            await settle(story, SETTLE_S)
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


def report(show: Show, story: Talk, crowd: Crowd, log: HeatLog) -> dict[str, Any]:
    """Return what is printed, the copies and `ok` aside."""
    return {
        **outcome(story, crowd, log),
        "viewers": show.viewers,
        "on_dedicated": log.most_dedicated(),
        "likes": story.likes,
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
    show = Show(viewers, threshold, MOVE_S, round(viewers / MOVE_S))
    result, log = trio.run(run, show)
    clean = not (result["lost"] or result["doubled"])
    result["ok"] = clean and result["states"] == WHOLE_WAY and result["moved"] > 0
    if picture and log.samples:
        plot(log, picture)
    print_result(result, as_json)
