"""Instant messages: what the real routing plan chooses for them, and what that takes."""

from typing import Any, NamedTuple

from proto.records import MAX_UIDS_PER_RECORD
from router.costs import Costs
from router.plan import Cluster, Estimate, Load, choose
from simulation.deployment import Deployment

CONVERSATIONS = ((0.80, 1), (0.19, 30), (0.01, 500))
"""Of a hundred messages 80 go to one friend, 19 to groups of 30 and one to a group of 500. An
assumption: what people do is not measured here. All of them count as online, which is the worst."""

UID_BYTES = 12
"""A uid of ten characters and its number, packed."""

SHARING = 8
"""Records that come to a router together, under load."""


class Taken(NamedTuple):
    """What instant messages take in a second, over the whole cluster."""

    messages: float
    rows: float
    """Rows of mailboxes."""
    lookups: float
    router_relay: float
    relay_access: float
    body_bytes: int
    modes: dict[str, str]


def messages(deployment: Deployment) -> Taken:
    """Return what the plan makes of all instant messages of a second."""
    rate = deployment.im * deployment.clients
    relays = deployment.relays_per_region * deployment.regions
    cluster = Cluster(deployment.access, relays)
    lookups = router_relay = relay_access = rows = 0.0
    modes = {}
    for part, receivers in CONVERSATIONS:
        plan = plan_for(receivers, deployment.frame_bytes, cluster)
        modes[str(receivers)] = plan.mode.value
        lookups += rate * part * plan.lookups
        router_relay += rate * part * plan.relay_copies
        relay_access += rate * part * plan.node_copies
        rows += rate * part * (receivers + 1)
    return Taken(rate, rows, lookups, router_relay, relay_access, deployment.frame_bytes, modes)


def plan_for(receivers: int, body_bytes: int, cluster: Cluster) -> Estimate:
    """Return what the router would choose for one message to so many receivers."""
    load = Load(min(receivers, MAX_UIDS_PER_RECORD), receivers * UID_BYTES, body_bytes)
    return choose(load, cluster, Costs(), settled=True, sharing=SHARING)


def shown(taken: Taken) -> dict[str, Any]:
    """Return what is printed of it: for one message, and the plan by receivers."""
    each = max(taken.messages, 1e-9)
    return {
        "per_s": round(taken.messages, 1),
        "router_relay": round(taken.router_relay / each, 2),
        "relay_access": round(taken.relay_access / each, 2),
        "lookups": round(taken.lookups / each, 2),
        "mailbox_rows": round(taken.rows / each, 2),
        "modes": taken.modes,
    }
