"""How busy the cores of each tier are, by what they do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proto.priorities import Priority
from simulation import costs
from simulation.batching import Pace, batches_per_s, pace
from simulation.copies import Copies, RelayLoad
from simulation.deployment import Deployment, shares
from simulation.links import peers
from simulation.messages import Taken
from simulation.nodes import WANTED, Node
from simulation.placement import Region

LIKE_REPORTS_PER_S = 10.0
"""Of one access node: `access.room.like_flush_ms`."""

HOPS_OF_A_REQUEST = 4
"""Envelopes that a relay takes and gives for one: up to logic, and the answer back."""

GATHERED_S = 0.005
"""Records that come to a router within so long are one delivery."""


@dataclass(slots=True)
class Tier:
    """A tier's nodes, and the shares of a core by what they are for, on the mean and the
    busiest."""

    nodes: int
    parts: dict[str, float]
    busiest: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of one node's core."""
        return sum(self.parts.values())

    @property
    def needed(self) -> int:
        """Nodes with which each would be busy for 70 %, by what the busiest does."""
        return max(1, math.ceil(self.nodes * max(self.share, self.busiest) / WANTED))


def relay_tier(
    deployment: Deployment, regions: Sequence[Region], found: Copies, im: Taken
) -> tuple[Tier, Pace]:
    """Return the relays' load, and how the links of the busiest run."""
    count = deployment.relays_per_region * deployment.regions
    each = [
        _relay(deployment, region, found.relays[relay], found, im)
        for region in regions
        for relay in region.relays
    ]
    parts = {name: sum(parts[name] for parts, _ in each) / count for name in each[0][0]}
    busiest, its_pace = max(each, key=lambda one: sum(one[0].values()))
    entries = max(region.entries for region in regions)
    extra = {
        # As long as a core is for batches at all, they wait for each other and grow.
        "wait_ms": round(its_pace.wait_s * 1000, 1) if its_pace.share else None,
        "table_entries": round(entries),
        "table_mb": round(entries * costs.ENTRY_BYTES / 1e6, 1),
    }
    return Tier(count, parts, sum(busiest.values()), extra), its_pace


def _relay(
    deployment: Deployment, region: Region, load: RelayLoad, found: Copies, im: Taken
) -> tuple[dict[str, float], Pace]:
    relays = deployment.relays_per_region * deployment.regions
    requests = (found.published + im.messages) / relays
    reports = LIKE_REPORTS_PER_S * deployment.access / relays
    im_copies = (im.router_relay + im.relay_access) / relays
    messages = sum(load.taken) + sum(load.given) + im_copies
    heads = sum(load.heads_taken) + sum(load.heads_given)
    asked = batches_per_s((requests + reports) / region.access, 0.004) * region.access
    us = {
        "messages": messages * costs.ENVELOPE_US,
        "heads": heads * costs.ENVELOPE_US,
        "requests": HOPS_OF_A_REQUEST * (requests + reports) * costs.ENVELOPE_US
        + asked * costs.BATCH_US,
        "links": peers(deployment) * costs.LINK_US_PER_S,
    }
    parts = {name: value / 1e6 for name, value in us.items()}
    lanes = _lanes(deployment, region, load, requests, im.relay_access / relays)
    its_pace = pace(region.access, lanes, sum(parts.values()))
    return {**parts, "batches": its_pace.share}, its_pace


def _lanes(
    deployment: Deployment, region: Region, load: RelayLoad, requests: float, im: float
) -> list[float]:
    """Return what makes batches on each lane of one access node's link: messages, answers, and
    heads, which come in bursts, one from each router a second."""
    routers = shares(deployment.routers, deployment.regions)[0]
    lanes = []
    for lane in Priority:
        heads = min(load.heads_given[lane] / region.access, float(routers))
        lanes.append(load.given[lane] / region.access + heads)
    lanes[Priority.NORMAL] += (requests + im) / region.access
    return lanes


def router_tier(deployment: Deployment, found: Copies, im: Taken) -> Tier:
    """Return the routers' load: records, lookups and heads."""
    count = deployment.routers
    records = (found.tiers["bus_router"] + im.messages) / count
    together = 1.0 + records * GATHERED_S
    alone_us = (costs.ROUTER_ALONE_US - costs.ROUTER_RECORD_US) / together
    us = {
        "records": records * (costs.ROUTER_RECORD_US + alone_us),
        "lookups": im.lookups / count * costs.LOOKUP_US,
        "heads": found.heads["router_relay"] / count * costs.HEADS_ROUTER_US,
        "links": deployment.relays_per_region * costs.LINK_US_PER_S,
    }
    return Tier(count, {name: value / 1e6 for name, value in us.items()})


def logic_tier(deployment: Deployment, found: Copies, im: Taken) -> Tier:
    """Return logic's load."""
    count = deployment.logic_nodes
    us = {
        "rooms": found.messages / count * costs.LOGIC_US,
        "im": im.messages / count * costs.LOGIC_IM_US,
        "links": deployment.relays_per_region * costs.LINK_US_PER_S,
    }
    return Tier(count, {name: value / 1e6 for name, value in us.items()})


def store_tier(deployment: Deployment, found: Copies) -> Tier:
    """Return the load of Redis, one for each region."""
    share = found.messages * costs.STORE_US / 1e6 / deployment.regions
    return Tier(deployment.regions, {"rooms": share})


def database_tier(im: Taken) -> Tier:
    """Return the load of the database of instant messages: its share of what one takes."""
    return Tier(1, {"rows": (im.messages + im.rows) / costs.DATABASE_ROWS_PER_S})


def access_tier(nodes: int, node: Node) -> Tier:
    """Return the load of access nodes that are all like `node`."""
    extra = {
        "clients": round(node.clients),
        "rooms": node.rooms,
        "joined": round(node.edge.joined, 2),
        "round_ms": round(node.largest * costs.WRITE_US / 1000, 1),
        "memory_mb": round(node.clients * costs.CONNECTION_BYTES / 1e6, 1),
    }
    return Tier(nodes, node.parts, extra=extra)


def shown(tiers: dict[str, Tier]) -> dict[str, Any]:
    """Return what is printed of the tiers."""
    return {
        name: {
            "nodes": tier.nodes,
            "share": round(tier.share, 3),
            "busiest": round(max(tier.share, tier.busiest), 3),
            "needed": tier.needed,
            "parts": {part: round(share, 3) for part, share in tier.parts.items()},
            **tier.extra,
        }
        for name, tier in tiers.items()
    }


def bends(tiers: dict[str, Tier]) -> list[dict[str, Any]]:
    """Return the tiers that have more to do than they should, the worst first, and what makes
    it."""
    over = [(max(tier.share, tier.busiest), name) for name, tier in tiers.items()]
    return [
        {
            "tier": name,
            "busiest": round(share, 2),
            "mostly": max(tiers[name].parts, key=lambda part: tiers[name].parts[part]),
            "needed": tiers[name].needed,
        }
        for share, name in sorted(over, reverse=True)
        if share > WANTED
    ]
