"""How busy the cores of each tier are, by what they do."""

import math
from dataclasses import dataclass, field
from typing import Any

from simulation import costs
from simulation.copies import Copies
from simulation.deployment import Deployment
from simulation.messages import Taken
from simulation.nodes import WANTED, Node

LIKE_REPORTS_PER_S = 10.0
"""Of one access node: `access.room.like_flush_ms`."""


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


def router_tier(deployment: Deployment, found: Copies, im: Taken) -> Tier:
    """Return the routers' load: records, lookups and heads."""
    count = deployment.routers
    records = (found.tiers["bus_router"] + im.messages) / count
    us = {
        "records": records * costs.each_us(costs.ROUTER_US, costs.ROUTER_ALONE_US, records),
        "lookups": im.lookups / count * costs.LOOKUP_US,
        "heads": found.heads["router_relay"] / count * costs.HEADS_ROUTER_US,
        "links": deployment.relays_per_region * costs.LINK_US_PER_S,
    }
    return Tier(count, shares_of("router", us))


def logic_tier(deployment: Deployment, found: Copies, im: Taken) -> Tier:
    """Return logic's load: a report of likes takes what a message does."""
    count = deployment.logic_nodes
    messages, reports = found.messages / count, like_reports(deployment, found) / count
    each_us = costs.each_us(costs.LOGIC_US, costs.LOGIC_ALONE_US, messages + reports)
    us = {
        "rooms": messages * each_us,
        "likes": reports * each_us,
        "im": im.messages / count * costs.LOGIC_IM_US,
        "links": deployment.relays_per_region * costs.LINK_US_PER_S,
    }
    return Tier(count, shares_of("logic", us))


def store_tier(deployment: Deployment, found: Copies) -> Tier:
    """Return the load of Redis, one for each region."""
    messages = found.messages / deployment.regions
    reports = like_reports(deployment, found) / deployment.regions
    each_us = costs.each_us(costs.STORE_US, costs.STORE_ALONE_US, messages + reports)
    us = {"rooms": messages * each_us, "likes": reports * each_us}
    return Tier(deployment.regions, shares_of("store", us))


def like_reports(deployment: Deployment, found: Copies) -> float:
    """Return the reports of likes of all access nodes: at most one a node and flush."""
    return min(found.like_frames, LIKE_REPORTS_PER_S * deployment.access)


def shares_of(role: str, us: dict[str, float]) -> dict[str, float]:
    """Return microseconds a second as shares of a core, with what `role` takes for itself."""
    return {name: each / 1e6 for name, each in us.items()} | {"base": costs.BASE_SHARE[role]}


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
