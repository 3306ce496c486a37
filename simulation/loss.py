"""What moves when a part is lost: a relay, an access node, a router, a region; or one added."""

from collections.abc import Callable, Sequence
from typing import Any

from mesh.settings import MeshSettings
from proto.regions import Regions
from proto.rendezvous import carrier
from router.heads import INTERVAL_S
from simulation import costs
from simulation.deployment import Deployment, shares
from simulation.placement import Placed, Region

TAIL_S = 0.5
"""Silence after which a head beyond the last message counts as a loss (`access.room.tail_ms`)."""

LEASE_S = 3.0
"""A node that is silent for so long is dead to the others."""

CLAIM_S = 5.0
"""Until what a dead router had taken goes to another (`bus.claim_after_s`, Redis)."""

FIRST_RETRY_S = 0.3
"""A client's first delay before it connects again, at most (0.2 s, 50 % more or less)."""

HEARTBEAT_S = 25.0
"""Of a client's connection; two that are missed are its end."""

MOST_WEIGHED = 300_000
"""Keys times candidates that are weighed; of thousands of routers only some rooms are looked at."""

INTEREST_BYTES = 14
"""A room's name in a step."""


def losses(
    deployment: Deployment, placed: Sequence[Placed], regions: Sequence[Region]
) -> dict[str, Any]:
    """Return what each loss does."""
    return {
        "relay": _relay(placed, regions[0]),
        "relay_added": _relay_added(placed, regions[0]),
        "access": _access(deployment, regions[0]),
        "router": _router(deployment, placed),
        "region": _region(deployment, placed),
    }


def moved(
    keys: Sequence[tuple[str, float]],
    before: Callable[[str], str | None],
    after: Callable[[str], str | None],
) -> float:
    """Return the share of keys, each with its weight, whose answer differs before and after."""
    total = sum(weight for _, weight in keys)
    gone = sum(weight for key, weight in keys if before(key) != after(key))
    return gone / total if total else 0.0


def _keys(placed: Sequence[Placed]) -> list[tuple[str, float]]:
    return [(each.room.name, each.room.weight) for each in placed]


def _relay(placed: Sequence[Placed], region: Region) -> dict[str, Any]:
    """A relay of the first region dies: its rooms go to the next in rank, which has their interest
    already. No client notices; what fell between comes from the room log."""
    relays, keys = region.relays, _keys(placed)
    share = moved(keys, lambda key: carrier(key, relays), lambda key: carrier(key, relays[1:]))
    wrongly = moved(
        [(key, weight) for key, weight in keys if carrier(key, relays) != relays[0]],
        lambda key: carrier(key, relays),
        lambda key: carrier(key, relays[1:]),
    )
    silence_s = MeshSettings().silence_s
    left = len(relays) - 1
    return {
        "rooms_moved": round(share, 4),
        "expected": round(1 / len(relays), 4),
        "others_moved": round(wrongly, 4),
        "clients_reconnect": 0,
        "others_load": round(len(relays) / left, 2) if left else None,
        "repair_s": {
            "process": INTERVAL_S + TAIL_S,
            "host": silence_s + INTERVAL_S + TAIL_S,
        },
        "interest_mb": round(region.entries * INTEREST_BYTES / 1e6, 2),
    }


def _relay_added(placed: Sequence[Placed], region: Region) -> dict[str, Any]:
    """A relay is added to the first region: it takes its share, and nothing else moves."""
    relays = region.relays
    more = [*relays, f"relay-{region.name}-new"]
    share = moved(_keys(placed), lambda key: carrier(key, relays), lambda key: carrier(key, more))
    return {"rooms_moved": round(share, 4), "expected": round(1 / len(more), 4)}


def _access(deployment: Deployment, region: Region) -> dict[str, Any]:
    """An ordinary access node dies: its clients connect to the others of its region."""
    clients = deployment.clients / deployment.access
    others = region.access - 1
    each_s = clients * costs.CONNECT_US / 1e6
    seconds = FIRST_RETRY_S + each_s / others if others else None
    return {
        "clients_reconnect": round(clients),
        "share": round(1 / deployment.access, 5),
        "connects_per_node": round(clients / others) if others else None,
        "rooms_moved": 0,
        "repair_s": {
            "process": round(seconds, 2) if seconds is not None else None,
            "host": round(2 * HEARTBEAT_S + seconds, 2) if seconds is not None else None,
        },
    }


def _router(deployment: Deployment, placed: Sequence[Placed]) -> dict[str, Any]:
    """A router of the first region dies: the bus gives what it had to others, and so do heads."""
    count = shares(deployment.routers, deployment.regions)[0]
    routers = [f"router-{number + 1}" for number in range(count)]
    keys = _keys(placed)
    some = keys[:: 1 + len(keys) * count // MOST_WEIGHED]
    share = moved(some, lambda key: carrier(key, routers), lambda key: carrier(key, routers[1:]))
    return {
        "heads_moved": round(share, 4),
        "expected": round(1 / count, 4),
        "clients_reconnect": 0,
        "repair_s": {"process": CLAIM_S, "host": CLAIM_S, "heads": LEASE_S + INTERVAL_S},
    }


def _region(deployment: Deployment, placed: Sequence[Placed]) -> dict[str, Any]:
    """A region is gone: its clients are, until they are sent to another; rooms that it homes answer
    `home_unreachable` everywhere; no other room notices. Taken out of the settings, it gives its
    rooms to the others, and no other room moves."""
    names = deployment.region_names
    gone = names[0]
    homed = [each for each in placed if names[each.home] == gone]
    total = sum(each.room.weight for each in placed)
    cut_off = sum(
        each.room.weight * (each.room.viewers - each.viewers[each.home]) for each in homed
    )
    here = sum(each.room.weight * each.viewers[0] for each in placed)
    result = {
        "clients_reconnect": round(here),
        "rooms_unreachable": round(sum(each.room.weight for each in homed) / total, 4),
        "expected": round(1 / len(names), 4),
        "viewers_elsewhere_cut_off": round(cut_off),
    }
    if len(names) == 1:
        return result
    left = Regions(names=tuple(names[1:]), im=names[1])
    whole = Regions(names=tuple(names), im=names[1])
    share = moved(_keys(placed), whole.home_of_room, left.home_of_room)
    return {**result, "homes_moved_if_removed": round(share, 4)}
