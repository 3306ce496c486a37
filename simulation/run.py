"""The whole simulation: from a deployment to the figures that are printed."""

import time
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from simulation import copies, heat, load, loss, messages
from simulation.batching import Pace
from simulation.copies import TIERS, Copies, Sizes
from simulation.deployment import Deployment, check
from simulation.latency import Way, latencies
from simulation.links import links
from simulation.load import Tier
from simulation.messages import Taken
from simulation.nodes import Node, dedicated, ordinary
from simulation.placement import Placed, Region, announce, at_home, regions
from simulation.relays import relay_tier
from simulation.rooms import rooms
from simulation.traffic import rates


def simulate(deployment: Deployment) -> dict[str, Any]:
    """Return all figures of `deployment`; raises `DeploymentError`. The same seed, the same
    figures; `seconds` alone is of the machine."""
    began = time.perf_counter()
    check(deployment)
    random = Random(deployment.seed)
    placed = at_home(
        deployment,
        rooms(deployment.clients, deployment.room_count, deployment.zipf, random),
        random,
    )
    all_regions = regions(deployment)
    upgrades = heat.upgrade(deployment, placed, all_regions)
    for number, region in enumerate(all_regions):
        announce(deployment, placed, region, number, random)
    found, im = copies.count(deployment, placed, all_regions), messages.messages(deployment)
    tiers, way = _loads(deployment, placed, all_regions, found, im, random)
    return {
        "deployment": _described(deployment),
        "links": links(deployment),
        "copies": _copies(deployment, placed, found, im),
        "bytes": _bytes(deployment, found),
        "load": load.shown(tiers),
        "bends": load.bends(tiers),
        "latency_ms": latencies(way, random),
        "likes": _likes(way.nodes[0][0]),
        "heat": heat.shown(upgrades, heat.settings(deployment), all_regions),
        "loss": loss.losses(deployment, placed, all_regions),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _loads(
    deployment: Deployment,
    placed: Sequence[Placed],
    all_regions: Sequence[Region],
    found: Copies,
    im: Taken,
    random: Random,
) -> tuple[dict[str, Tier], Way]:
    relay, pace = relay_tier(deployment, all_regions, found, im)
    nodes = _nodes(deployment, placed, all_regions, pace, im, random)
    tiers = {"access": load.access_tier(sum(r.ordinary for r in all_regions), nodes[0][0])}
    if len(nodes) > 1:
        count = sum(region.dedicated for region in all_regions)
        tiers["dedicated"] = load.access_tier(count, nodes[1][0])
    tiers |= {
        "relay": relay,
        "router": load.router_tier(deployment, found, im),
        "logic": load.logic_tier(deployment, found, im),
        "store": load.store_tier(deployment, found),
        "database": load.database_tier(im),
    }
    delivered = max(found.tiers["access_client"], 1e-9)
    abroad = sum(
        each.room.weight
        * rates(deployment, each.room.viewers).messages
        * (each.room.viewers - each.viewers[each.home])
        for each in placed
    )
    return tiers, Way(deployment, pace, tiers, nodes, abroad / delivered)


def _nodes(
    deployment: Deployment,
    placed: Sequence[Placed],
    all_regions: Sequence[Region],
    pace: Pace,
    im: Taken,
    random: Random,
) -> list[tuple[Node, float]]:
    """Return the kinds of access nodes, and of all deliveries those that each makes."""
    usual = ordinary(deployment, placed, all_regions, pace, im, random)
    special = dedicated(deployment, placed, pace, im, random)
    hot = sum(
        each.room.weight * rates(deployment, each.room.viewers).messages * each.viewers[each.home]
        for each in placed
        if each.pool
    )
    everything = sum(
        each.room.weight * rates(deployment, each.room.viewers).messages * each.room.viewers
        for each in placed
    )
    share = hot / everything if everything else 0.0
    if special is None:
        return [(usual, 1.0)]
    return [(usual, 1.0 - share), (special, share)]


def _described(deployment: Deployment) -> dict[str, Any]:
    shown = msgspec.structs.asdict(deployment)
    return shown | {
        "relays": deployment.relays_per_region,
        "logic": deployment.logic_nodes,
        "rooms": deployment.room_count,
    }


def _copies(
    deployment: Deployment, placed: Sequence[Placed], found: Copies, im: Taken
) -> dict[str, Any]:
    """Return the copies of a message on the mean, in the largest room, and all in a second."""
    each = max(found.messages, 1e-9)
    largest = max(placed, key=lambda one: one.room.viewers)
    of_largest = copies.of_message(largest, deployment.relays_per_region)
    return {
        "messages_per_s": round(found.messages, 1),
        "per_message": {tier: round(found.tiers[tier] / each, 3) for tier in TIERS},
        "largest_room": {"viewers": largest.room.viewers, "hot": bool(largest.pool)} | of_largest,
        "per_s": {tier: round(found.tiers[tier]) for tier in TIERS},
        "heads_per_s": {tier: round(count) for tier, count in sorted(found.heads.items())},
        "im": messages.shown(im),
    }


def _bytes(deployment: Deployment, found: Copies) -> dict[str, Any]:
    sizes, each = Sizes(deployment.frame_bytes), max(found.messages, 1e-9)
    per_s = {tier: found.tiers[tier] * sizes.of(tier) for tier in TIERS}
    return {
        "copy": {tier: sizes.of(tier) for tier in TIERS} | {"head": sizes.heads},
        "per_message": {tier: round(per_s[tier] / each, 1) for tier in TIERS},
        "per_s": {tier: round(per_s[tier]) for tier in TIERS},
        "heads_per_s": round(sum(found.heads.values()) * sizes.heads),
        "per_client_per_s": round(per_s["access_client"] / deployment.clients, 1),
        "access_node_per_s": round(per_s["access_client"] / deployment.access),
    }


def _likes(node: Node) -> dict[str, Any]:
    """Return what an ordinary access node makes of its clients' likes, in a second."""
    return {
        "frames_per_node": round(node.likes.frames, 1),
        "reports_per_node": round(node.likes.reports, 1),
        "counts_per_report": round(node.likes.counts / max(node.likes.reports, 1e-9), 1),
    }
