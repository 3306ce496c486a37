"""What a node has to show of its links, for its lease and `/statusz`: each relay, lane by lane."""

from collections.abc import Mapping
from typing import Any

import trio

from mesh.connection import Connection
from mesh.lane import Lane


def figures(up: Mapping[str, Connection]) -> dict[str, Any]:
    """Return `uplinks`, and when it was so (`at_s`, seconds of the node's own clock: two looks
    give a rate that is exact, however late they were read)."""
    return {"at_s": round(trio.current_time(), 3), "uplinks": uplinks(up)}


def uplinks(up: Mapping[str, Connection]) -> dict[str, Any]:
    """Return the links to the relays that are `up`, by relay, as JSON-able values.

    Of each lane: what was carried since the link stands (envelopes and bytes, seen from this node),
    what waits, and how long a ping took.
    """
    return {relay: _link(connection) for relay, connection in sorted(up.items())}


def _link(connection: Connection) -> dict[str, Any]:
    lanes = {lane.priority.label: _lane(lane) for lane in connection.lanes}
    return {"leaving": connection.leaving, "lanes": lanes}


def _lane(lane: Lane) -> dict[str, Any]:
    traffic = lane.traffic
    return {
        "in": traffic.envelopes_in,
        "out": traffic.envelopes_out,
        "bytes_in": traffic.bytes_in,
        "bytes_out": traffic.bytes_out,
        "depth": lane.outbox.depth,
        "round_trip_ms": round(lane.round_trip_ms, 3),
    }
