"""Copies and bytes of room messages at each tier."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backends.room_log.retention import Retention
from proto.headers import HeadsHeader
from proto.packs import encode_record
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from router import envelopes
from simulation.deployment import Deployment
from simulation.placement import Placed, Region, carriers
from simulation.traffic import Rates, active_lanes, rates

TIERS = ("bus_router", "router_relay", "bus_relay", "relay_relay", "relay_access", "access_client")
"""The hops of a room's message; `bus_relay` is that of hot rooms alone."""

SOCKET_FRAME_BYTES = 4
"""The head of a WebSocket frame of 126 bytes to 64 KiB."""


@dataclass(slots=True)
class RelayLoad:
    """What one relay has to do in a second, by lane: envelopes in and out, and heads of them."""

    taken: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    given: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    heads_taken: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    heads_given: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


@dataclass(slots=True)
class Copies:
    """Copies a second on each tier, over all rooms, and what each relay has of it."""

    messages: float = 0.0
    published: float = 0.0
    like_frames: float = 0.0
    hot_messages: float = 0.0
    tiers: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    heads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    relays: dict[str, RelayLoad] = field(default_factory=dict)


class Sizes:
    """Bytes of what travels, made by the code that makes them for real."""

    def __init__(self, frame_bytes: int) -> None:
        header = RecordHeader(
            id="k3v9q1xw2m.184467", kind="room", ts_ms=1_790_000_000_000, room="room-123456",
            priority="normal", epoch="k3v9q1xw2m", seq=184_467,
        )  # fmt: skip
        record = Record(header, b"x" * max(1, frame_bytes - SOCKET_FRAME_BYTES))
        self.record = encode_record(record).size_bytes
        self.envelope = len(envelopes.room(record))
        head = HeadsHeader(header.epoch, (0, header.seq, 0))
        self.heads = len(envelopes.heads(header.room, head, Priority.NORMAL))
        self.frame = frame_bytes

    def of(self, tier: str) -> int:
        """Return the bytes of one copy on `tier`."""
        if tier in ("bus_router", "bus_relay"):
            return self.record
        return self.frame if tier == "access_client" else self.envelope


def of_message(each: Placed, relays_per_region: int) -> dict[str, float]:
    """Return the copies of one message of a room, by tier."""
    hot, abroad = bool(each.pool), len(each.abroad)
    return {
        "bus_router": 0 if hot else 1,
        "router_relay": 0 if hot else 1,
        # A node asks one relay alone, so a pool of few nodes reaches few relays.
        "bus_relay": min(relays_per_region, each.pool) if hot else 0,
        "relay_relay": abroad,
        "relay_access": sum(each.receivers),
        "access_client": each.room.viewers,
    }


def count(deployment: Deployment, placed: Iterable[Placed], regions: Sequence[Region]) -> Copies:
    """Return the copies of all rooms in a second."""
    found = Copies(relays={relay: RelayLoad() for region in regions for relay in region.relays})
    for each in placed:
        its = rates(deployment, each.room.viewers)
        weight = each.room.weight
        found.messages += weight * its.messages
        found.published += weight * its.published
        found.like_frames += weight * its.like_frames
        found.hot_messages += weight * its.messages * bool(each.pool)
        for tier, copies in of_message(each, deployment.relays_per_region).items():
            found.tiers[tier] += weight * its.messages * copies
        _on_relays(found, each, its, regions)
        _heads(found, each, its, regions)
    return found


def _on_relays(found: Copies, each: Placed, its: Rates, regions: Sequence[Region]) -> None:
    """Add a room's messages to the relays that carry them."""
    bringing = carriers(each, regions)
    for number, region in enumerate(regions):
        if number == each.home:
            _at_home(found, each, its, region, bringing[number])
        elif each.viewers[number]:
            load = found.relays[bringing[number]]
            _add(load.taken, its, each.room.weight)
            _add(load.given, its, each.room.weight * each.receivers[number])


def _at_home(found: Copies, each: Placed, its: Rates, region: Region, carrier: str) -> None:
    weight = each.room.weight
    if not each.pool:
        load = found.relays[carrier]
        _add(load.taken, its, weight)
        _add(load.given, its, weight * (each.receivers[each.home] + len(each.abroad)))
        return
    reached = region.relays[: each.pool]
    for relay in reached:
        load = found.relays[relay]
        _add(load.taken, its, weight)
        _add(load.given, its, weight * each.pool / len(reached))
    _add(found.relays[carrier].given, its, weight * len(each.abroad))


def _heads(found: Copies, each: Placed, its: Rates, regions: Sequence[Region]) -> None:
    """Add a room's heads: each second to every relay of its home, and from each of them to each
    node that wants the room; to other regions from its carrier alone."""
    active = [each.room.weight * chance for chance in active_lanes(its, Retention().active_s)]
    bringing = carriers(each, regions)
    for number, region in enumerate(regions):
        at_home = number == each.home
        for relay in region.relays if at_home else [bringing[number]]:
            if not each.viewers[number]:
                continue
            load = found.relays[relay]
            for lane, often in enumerate(active):
                load.heads_taken[lane] += often
                load.heads_given[lane] += often * each.receivers[number]
            found.heads["router_relay" if at_home else "relay_relay"] += sum(active)
            found.heads["relay_access"] += sum(active) * each.receivers[number]


def _add(lanes: list[float], its: Rates, copies: float) -> None:
    for lane, rate in enumerate(its.lanes):
        lanes[lane] += rate * copies
