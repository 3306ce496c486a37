"""The arithmetic of links: everybody to the relays, against everybody to everybody."""

from typing import Any

from simulation.deployment import Deployment, shares

LANES = 3
"""Connections that a link takes, one for each priority."""


def links(deployment: Deployment) -> dict[str, Any]:
    """Return the links that the cluster holds, and those of a full mesh.

    `held` counts what carries the same as the full mesh does: access nodes and routers to the
    relays of their region, and relays to the relays of each other region. Logic's are told by
    themselves, since in a full mesh it would have its own as well. `connections` are `held` with
    logic's, in all lanes.
    """
    k, others = deployment.relays_per_region, deployment.regions - 1
    ends = deployment.access + deployment.routers
    between = deployment.regions * others * k * k
    held = ends * k + between
    logic = deployment.logic_nodes * k
    full_mesh = deployment.access * deployment.routers
    return {
        "held": held,
        "full_mesh": full_mesh,
        "ratio": round(full_mesh / held, 2),
        "between_regions": between,
        "logic": logic,
        "connections": (held + logic) * LANES,
        "per_node": {
            "access": k,
            "router": k,
            "logic": k,
            "relay": peers(deployment),
            "full_mesh_access": deployment.routers,
            "full_mesh_router": deployment.access,
        },
    }


def peers(deployment: Deployment) -> int:
    """Return the links of one relay, in the largest region: its nodes, and for each relay of
    another region one that it dials and one by which it is dialled."""
    nodes = sum(
        shares(count, deployment.regions)[0]
        for count in (deployment.access, deployment.routers, deployment.logic_nodes)
    )
    return nodes + 2 * deployment.relays_per_region * (deployment.regions - 1)
