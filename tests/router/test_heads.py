import trio
from hypothesis import given
from hypothesis import strategies as st

from proto.envelopes import Kind
from proto.headers import HeadsHeader, decode_heads
from proto.priorities import Priority
from router.counters import Counters
from router.heads import Heads, share
from router.presence import Presence
from tests.router.parts import FakeMesh, FixedRegistry, lease

HEADS = HeadsHeader("e1", (1, 20, 300))


class FixedLog:
    def __init__(self, *rooms: str) -> None:
        self.rooms = dict.fromkeys(rooms, HEADS)

    async def active_heads(self) -> dict[str, HeadsHeader]:
        return self.rooms


async def _heads(mesh: FakeMesh, log: FixedLog, node: str, *routers: str) -> Heads:
    presence = Presence(FixedRegistry(*(lease(name, "router") for name in routers)))
    await presence.refresh()
    return Heads(log, mesh, presence, node, Counters())  # type: ignore[arg-type]


async def test_each_rooms_heads_go_to_every_relay_each_second(autojump_clock: object) -> None:
    mesh = FakeMesh()
    heads = await _heads(mesh, FixedLog("lobby"), "router-1", "router-1")
    with trio.move_on_after(2.5):
        await heads.run()
    assert [relay for relay, _, _ in mesh.sent].count("relay-1") == 3
    assert [relay for relay, _, _ in mesh.sent].count("relay-2") == 3
    _, lane, envelope = mesh.sent[0]
    assert (lane, envelope.kind, envelope.key) == (Priority.NORMAL, Kind.HEADS, b"lobby")
    assert decode_heads(envelope.header) == HEADS


async def test_a_full_lane_drops_heads_with_a_count(autojump_clock: object) -> None:
    mesh = FakeMesh()
    mesh.full.add("relay-1")
    heads = await _heads(mesh, FixedLog("lobby"), "router-1", "router-1")
    await heads.repeat()
    assert [relay for relay, _, _ in mesh.sent] == ["relay-2"]


@given(st.sets(st.text("abc", min_size=1, max_size=5), max_size=50), st.integers(1, 5))
def test_living_routers_share_the_rooms_without_gap_or_overlap(rooms: set[str], n: int) -> None:
    routers = [f"router-{number}" for number in range(n)]
    shares = [room for node in routers for room in share(rooms, node, routers)]
    assert sorted(shares) == sorted(rooms)
