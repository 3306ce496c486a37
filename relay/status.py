"""What a relay is doing, as its lease and `/status` say it."""

from typing import Any

import trio

from proto.priorities import Priority
from relay.regions.figures import region_status
from relay.relay import Relay


def status(relay: Relay) -> dict[str, Any]:
    """Return what `relay` is doing, as JSON-able values."""
    forwarding, holding = relay.forwarding, relay.holding
    certificate = relay.links.certificate
    peers = forwarding.peers.values()
    return {
        "lanes": relay.settings.advertise or relay.settings.listen,
        "certificate": certificate and certificate._asdict(),
        "draining": relay.leaving.begun,
        "at_s": round(trio.current_time(), 3),
        "links": len(peers),
        "nodes": sorted(peer.node for peer in peers),
        "rooms": len(forwarding.table),
        "hot": relay.hot.status() if relay.hot else None,
        "requests": len(forwarding.admission),
        "lane_depths": lane_depths(relay),
        "held": [p.label for p in Priority if holding.held(p)],
        "holds": {p.label: holding.holds[p] for p in Priority},
        "drops": {f"{reason} {p.label}": n for (reason, p), n in sorted(forwarding.drops.items())},
        "regions": {
            region: region_status(link, forwarding.crossing, relay.arrivals[region])
            for region, link in relay.region_links.items()
        },
    }


def lane_depths(relay: Relay) -> dict[str, int]:
    """Return how many envelopes wait on each lane, over all nodes."""
    peers = relay.forwarding.peers.values()
    return {p.label: sum(peer.lanes[p].depth for peer in peers) for p in Priority}


def lane_bytes(relay: Relay) -> dict[str, int]:
    """Return how many bytes wait on each lane, over all nodes."""
    peers = relay.forwarding.peers.values()
    return {p.label: sum(peer.lanes[p].depth_bytes for peer in peers) for p in Priority}
