"""How busy the relays are: what they copy, the batches that it takes, and what wakes them."""

from collections.abc import Sequence

from mesh.batching import LINGER_S
from proto.priorities import Priority
from simulation import costs
from simulation.batching import Pace, batches_per_s, pace
from simulation.copies import Copies, RelayLoad
from simulation.deployment import Deployment, shares
from simulation.links import peers
from simulation.load import Tier, like_reports, shares_of
from simulation.messages import Taken
from simulation.placement import Region

HOPS_OF_A_REQUEST = 4
"""Envelopes that a relay takes and gives for one: up to logic, and the answer back."""


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
    reports = like_reports(deployment, found) / relays
    im_copies = (im.router_relay + im.relay_access) / relays
    messages = sum(load.taken) + sum(load.given) + im_copies
    heads = sum(load.heads_taken) + sum(load.heads_given)
    # Each alone as long as there are few: a room's message, a request, its answer, heads.
    woken = sum(load.taken) + 2 * (requests + reports)
    woken += len(Priority) * min(sum(load.heads_taken), deployment.routers / deployment.regions)
    us = {
        "wakes": woken * costs.each_us(0.0, costs.WAKE_US, woken),
        "messages": messages * costs.ENVELOPE_US,
        "heads": heads * costs.ENVELOPE_US,
        "requests": HOPS_OF_A_REQUEST * (requests + reports) * costs.ENVELOPE_US
        + _request_batches(deployment, region, requests, reports) * costs.BATCH_US,
        "links": peers(deployment) * costs.LINK_US_PER_S,
    }
    parts = shares_of("relay", us)
    lanes = _lanes(deployment, region, load, requests, im.relay_access / relays)
    its_pace = pace(region.access, lanes, sum(parts.values()))
    return {**parts, "batches": its_pace.share}, its_pace


def _request_batches(
    deployment: Deployment, region: Region, requests: float, reports: float
) -> float:
    """Return the batches of requests in a second: from access nodes, to logic and back from it, and
    those of answers about likes; other answers go with the rooms' messages."""
    logic = shares(deployment.logic_nodes, deployment.regions)[0]
    found = 0.0
    for priority, rate in ((Priority.NORMAL, requests), (Priority.BULK, reports)):
        linger_s = LINGER_S[priority]
        found += region.access * batches_per_s(rate / region.access, linger_s)
        found += 2 * logic * batches_per_s(rate / logic, linger_s)
    return found + region.access * batches_per_s(reports / region.access, LINGER_S[Priority.BULK])


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
