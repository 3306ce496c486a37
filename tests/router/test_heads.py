from collections import Counter

import trio
from hypothesis import given
from hypothesis import strategies as st

from proto.envelopes import Kind
from proto.headers import HeadsHeader, decode_heads, heads_cross
from proto.heat import HeatState, Rule
from proto.priorities import Priority
from router.counters import Counters
from router.heads import Heads, share
from router.heat.telling import Telling
from router.presence import Presence
from tests.router.parts import FakeMesh, FixedRegistry, lease

HEADS = HeadsHeader("e1", (1, 20, 300))


class FixedLog:
    def __init__(self, *rooms: str) -> None:
        self.rooms = dict.fromkeys(rooms, HEADS)

    async def active_heads(self) -> dict[str, HeadsHeader]:
        return self.rooms

    async def heads(self, room: str) -> HeadsHeader:
        return HeadsHeader("e3", (0, 0, 9))


async def _heads(mesh: FakeMesh, log: FixedLog, node: str, *routers: str) -> Heads:
    presence = Presence(FixedRegistry(*(lease(name, "router") for name in routers)))
    await presence.refresh()
    return Heads(log, mesh, presence, node, Counters(), Telling())  # type: ignore[arg-type]


async def test_each_rooms_heads_go_to_every_relay_each_second(autojump_clock: object) -> None:
    mesh = FakeMesh()
    heads = await _heads(mesh, FixedLog("lobby"), "router-1", "router-1")
    with trio.move_on_after(2.5):
        await heads.run()
    assert Counter((relay, lane) for relay, lane, _ in mesh.sent) == {
        (relay, lane): 3 for relay in ("relay-1", "relay-2") for lane in Priority
    }
    assert {(e.kind, e.key) for _, _, e in mesh.sent} == {(Kind.HEADS, b"lobby")}


async def test_each_lane_tells_the_head_of_its_own_stream_alone(autojump_clock: object) -> None:
    mesh = FakeMesh(["relay-1"])
    log = FixedLog("lobby")
    log.rooms["quiet"] = HeadsHeader("e2", (0, 7, 0))
    heads = await _heads(mesh, log, "router-1", "router-1")
    await heads.repeat()
    assert {(e.key, lane.label, decode_heads(e.header).seqs) for _, lane, e in mesh.sent} == {
        (b"lobby", "urgent", (1, 0, 0)),
        (b"lobby", "normal", (0, 20, 0)),
        (b"lobby", "bulk", (0, 0, 300)),
        (b"quiet", "normal", (0, 7, 0)),
    }
    assert {decode_heads(e.header).epoch for _, _, e in mesh.sent} == {"e1", "e2"}


async def test_rules_ride_on_the_urgent_lane_of_rooms_where_nobody_speaks_too(
    autojump_clock: object,
) -> None:
    mesh = FakeMesh(["relay-1"])
    log = FixedLog()
    log.rooms["chatty"] = HeadsHeader("e2", (0, 7, 0))
    heads = await _heads(mesh, log, "router-1", "router-1")
    rules = {room: Rule(room, HeatState.HOT, 5, "hot-1") for room in ("chatty", "silent")}
    heads._telling.rules = rules
    await heads.repeat()
    sent = [(e.key.decode(), lane.label, decode_heads(e.header)) for _, lane, e in mesh.sent]
    assert [(room, lane, head.epoch, head.seqs, head.rule) for room, lane, head in sent] == [
        ("chatty", "urgent", "e2", (0, 0, 0), rules["chatty"]),
        ("chatty", "normal", "e2", (0, 7, 0), None),
        ("silent", "urgent", "e3", (0, 0, 0), rules["silent"]),
        ("silent", "bulk", "e3", (0, 0, 9), None),
    ]


async def test_the_carriers_copy_of_a_rooms_heads_crosses_to_other_regions() -> None:
    mesh = FakeMesh()
    rooms = [f"room-{number}" for number in range(20)]
    heads = await _heads(mesh, FixedLog(*rooms), "router-1", "router-1")
    await heads.repeat()
    crossing = {
        (relay, envelope.key.decode())
        for relay, _, envelope in mesh.sent
        if decode_heads(envelope.header).crosses
    }
    assert crossing == {(mesh.carriers(room)[0], room) for room in rooms}
    assert all(
        heads_cross(envelope.header) == decode_heads(envelope.header).crosses
        for _, _, envelope in mesh.sent
    )


async def test_a_full_lane_drops_heads_with_a_count(autojump_clock: object) -> None:
    mesh = FakeMesh()
    mesh.full.add("relay-1")
    heads = await _heads(mesh, FixedLog("lobby"), "router-1", "router-1")
    await heads.repeat()
    assert {relay for relay, _, _ in mesh.sent} == {"relay-2"}


@given(st.sets(st.text("abc", min_size=1, max_size=5), max_size=50), st.integers(1, 5))
def test_living_routers_share_the_rooms_without_gap_or_overlap(rooms: set[str], n: int) -> None:
    routers = [f"router-{number}" for number in range(n)]
    shares = [room for node in routers for room in share(rooms, node, routers)]
    assert sorted(shares) == sorted(rooms)
