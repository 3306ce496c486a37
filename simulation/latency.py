"""From a sender's frame to a viewer's socket: measured hops, and the queues that this load
makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from mesh.batching import LINGER_S
from proto.priorities import BY_LABEL, Priority
from simulation import costs
from simulation.batching import Pace
from simulation.deployment import Deployment
from simulation.load import Tier
from simulation.nodes import WANTED, Node
from simulation.sampling import lognormal, quantile

DRAWS = 5_000
LINGERS = 4
"""Sends on the way that may wait for their lane's linger: node, relay, router, relay."""


@dataclass(slots=True)
class Way:
    """What a message meets on its way."""

    deployment: Deployment
    pace: Pace
    tiers: dict[str, Tier]
    nodes: Sequence[tuple[Node, float]]
    """Kinds of access nodes, and the share of all deliveries that each makes."""
    abroad: float
    """Share of deliveries in another region than the room's home."""


def latencies(way: Way, random: Random) -> dict[str, Any]:
    """Return p50 and p99 in milliseconds by priority.

    Where a tier has more to do than it can, this is of a deployment with as many nodes as that tier
    needs, and `as_given` is false: a queue that only grows has no quantiles.
    """
    as_given = all(max(tier.share, tier.busiest) < 1 for tier in way.tiers.values())
    found: dict[str, Any] = {}
    for label, priority in BY_LABEL.items():
        drawn = sorted(_draw(way, priority, random) for _ in range(DRAWS))
        found[label] = {
            "p50": round(quantile(drawn, 0.5), 1),
            "p99": round(quantile(drawn, 0.99), 1),
        }
    return {**found, "as_given": as_given and all(node.as_given for node, _ in way.nodes)}


def _draw(way: Way, priority: Priority, random: Random) -> float:
    hop = costs.RELAYED
    ms = lognormal(random, *costs.APPENDED) + lognormal(random, *costs.BUS[way.deployment.bus])
    ms += lognormal(random, *hop) + lognormal(random, *hop)
    ms += _lingers_ms(way, priority, random)
    for name, service_us in (
        ("router", costs.ROUTER_US),
        ("logic", costs.LOGIC_US),
        ("relay", costs.BATCH_US),
    ):
        ms += _queue_ms(way.tiers[name], service_us, random)
    if random.random() < way.abroad:
        ms += way.deployment.between_ms + lognormal(random, *hop) / 2
    return ms + _edge_ms(way, priority, random)


def _lingers_ms(way: Way, priority: Priority, random: Random) -> float:
    """Return what the lanes' lingers add, and a relay that is too busy for them."""
    linger_s = max(LINGER_S[priority], 0.0)
    rate = way.pace.batches[priority]
    waits = rate * linger_s
    ms = sum(random.random() * linger_s * 1000 for _ in range(LINGERS) if random.random() < waits)
    if priority is Priority.URGENT:  # looked at before each batch of the other lanes
        return ms
    return ms + random.random() * way.pace.wait_s * 1000


def _queue_ms(tier: Tier, service_us: float, random: Random) -> float:
    """Return the wait for one core (M/M/1: exponential where there is one at all; Kleinrock,
    "Queueing Systems", 1975, 3.2)."""
    busy = min(tier.share, WANTED)
    if random.random() >= busy:
        return 0.0
    return random.expovariate(1.0) * service_us / 1000 / (1.0 - busy)


def _edge_ms(way: Way, priority: Priority, random: Random) -> float:
    node = random.choices(
        [node for node, _ in way.nodes], weights=[share for _, share in way.nodes]
    )[0]
    ages = node.drawn_ms[priority]
    return random.choice(ages) if ages else 0.0
