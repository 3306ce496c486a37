"""A made answer of /v1/status: three regions, each of 4 relays and 40 nodes around them."""

from collections.abc import Iterator
from typing import Any

REGIONS = ("asia", "eu", "us")
LANES = ("urgent", "normal", "bulk")
RELAYS = 4
AROUND = (("access", 30), ("logic", 6), ("router", 4))


def made_status(look: int = 0) -> dict[str, Any]:
    """Return what a gateway of eu would say at its `look`th second: relay-2 of us is down."""
    all_nodes = {region: list(nodes_of(region, look)) for region in REGIONS}
    lost = relay("us", 2, look) | {"up": False, "silent_s": 12.5 + look, "links": 0}
    elsewhere = [
        {"region": name, "answers": True, "nodes": all_nodes[name], "lost": [lost][: name == "us"]}
        for name in ("asia", "us")
    ]
    return {
        "region": "eu",
        "links": {"held": 160, "wanted": 160, "lanes": 480, "full_mesh": 120},
        "nodes": all_nodes["eu"],
        "lost": [],
        "pools": [],
        "hot_rooms": [],
        "rooms": [room(*each) for each in ROOMS],
        "regions": elsewhere,
        "alerts": ALERTS,
    }


ROOMS = (
    ("grand-final", "hot", "hot-5f0c9a1b", 41200, 2.4),
    ("cooking-with-li", "moving", "hot-77aa01c2", 10900, 1.1),
    ("chess", "normal", "", 6200, 0.62),
    ("lobby", "normal", "", 810, 0.08),
)
ALERTS = [
    {
        "alert": "RelaymeshNodeDown",
        "severity": "critical",
        "region": "us",
        "node": "relay-2",
        "summary": "relay-2 has not been heard of for 12 s",
    },
    {
        "alert": "RelaymeshBusLag",
        "severity": "warning",
        "region": "eu",
        "node": "router-3",
        "summary": "router-3 sees 1840 records waiting on the bus (normal)",
    },
]


def room(name: str, state: str, pool: str, online: int, pressure: float) -> dict[str, Any]:
    """Return one room by heat."""
    return {
        "room": name,
        "state": state,
        "pool": pool,
        "online": online,
        "per_s": [0.4, online / 900, 2.0],
        "pressure": pressure,
    }


def nodes_of(region: str, look: int) -> Iterator[dict[str, Any]]:
    """Yield the living nodes of a region."""
    up = [n for n in range(1, RELAYS + 1) if (region, n) != ("us", 2)]
    for number in up:
        yield relay(region, number, look)
    for role, count in AROUND:
        for number in range(1, count + 1):
            yield around(region, role, number, up, look)


def relay(region: str, number: int, look: int) -> dict[str, Any]:
    """Return a relay, with its links to all relays of the other regions."""
    regions = {
        other: {
            "up": RELAYS,
            "relays": RELAYS,
            "uplinks": {
                f"relay-{n}": link(look, 40 * number)
                for n in range(1, RELAYS + 1)
                if (other, n) != ("us", 2)
            },
        }
        for other in REGIONS
        if other != region
    }
    said = {"at_s": 100.0 + look, "draining": False, "regions": regions}
    return node(region, "relay", number, said) | {"links": 40, "rooms": 120}


def around(region: str, role: str, number: int, up: list[int], look: int) -> dict[str, Any]:
    """Return a node that dials the relays."""
    busy = number * 35 if role == "access" else 400
    said = {
        "at_s": 100.0 + look,
        "draining": (region, role, number) == ("asia", "access", 7),
        "uplinks": {f"relay-{n}": link(look, busy // n) for n in up},
        "deliveries": dict.fromkeys(LANES, look * busy * 9),
    }
    if (region, role, number) == ("eu", "access", 12):
        said["pool"] = "hot-5f0c9a1b"
    extra = {"links": len(up), "connections": 4000 + number * 97 if role == "access" else 0}
    return node(region, role, number, said) | extra


def node(region: str, role: str, number: int, said: dict[str, Any]) -> dict[str, Any]:
    """Return what all nodes have."""
    return {
        "id": f"{role}-{number}",
        "role": role,
        "region": region,
        "up": True,
        "url": "",
        "incarnation": "i1",
        "lane_depths": {"urgent": 0, "normal": number, "bulk": 3 * number},
        "connections": 0,
        "rooms": 0,
        "status": said,
    }


def link(look: int, per_s: int) -> dict[str, Any]:
    """Return one link, bulk being the busiest lane."""
    lanes = {
        lane: {
            "in": look * per_s * share,
            "out": look * (per_s * share // 3),
            "bytes_in": look * per_s * share * 200,
            "bytes_out": look * per_s * share * 70,
            "depth": 0,
            "round_trip_ms": 0.4 * share,
        }
        for lane, share in zip(LANES, (1, 6, 9), strict=True)
    }
    return {"leaving": False, "lanes": lanes}
