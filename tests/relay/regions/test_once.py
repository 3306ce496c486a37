"""For any interest and whatever links are up: once to each region that can be reached, no loops."""

from collections import Counter
from collections.abc import Iterable
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from proto.envelopes import BATCH_START, Kind, encode
from proto.headers import HeadsHeader, Hello, Interest, NodeRole, UsersHeader, encode_header
from proto.priorities import Priority
from proto.regions import Regions
from proto.rendezvous import carrier, ranked
from relay.forwarding import Forwarding
from relay.lanes import LaneTraffic, PeerLane
from relay.peer import Peer
from relay.regions.crossing import Crossing

from .world import room_message

NORMAL = Priority.NORMAL
REGIONS = ("eu", "us", "asia")
ROOM = "room"
HOME = "eu"
SIZES = {"eu": 2, "us": 3, "asia": 2}
RELAYS = [f"{region}-{number}" for region in REGIONS for number in range(SIZES[region])]
PAIRS = [(a, b) for a, b in permutations(RELAYS, 2) if a[:2] != b[:2]]


def peer(node: str, role: NodeRole) -> Peer:
    made = Peer(Hello(node, role, node.partition("-")[0], "life", 0))
    for lane in Priority:
        link = None  # nothing is sent in these tests: what was gathered is looked at
        made.lanes[lane] = PeerLane(lane, link, 1 << 20, LaneTraffic(), Counter())  # type: ignore[arg-type]
    return made


class Link:
    """The link of one relay to one other region; what is put on it waits in `way`."""

    def __init__(self, relay: str, up: Iterable[str], way: list[tuple[str, str, bytes]]) -> None:
        self.up = self.staying = list(up)
        self.wanted: dict[str, None] = {}
        self._relay = relay
        self._way = way

    def carriers(self, key: str) -> list[str]:
        return ranked(key, self.up)

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        assert relay in self.up
        self._way.append((self._relay, relay, envelope))
        return True

    def want(self, room: str) -> None:
        self.wanted[room] = None

    def unwant(self, room: str) -> None:
        del self.wanted[room]

    want_once, unwant_once = want, unwant


class Regional:
    """All relays, each a `Forwarding`, and one access node a region that has dialled all of its."""

    def __init__(self, links: set[tuple[str, str]], wanting: set[str]) -> None:
        self.way: list[tuple[str, str, bytes]] = []
        self.crossed: list[tuple[str, str]] = []
        self.links = links
        regions = Regions(names=REGIONS, im=HOME, rooms={ROOM: HOME})
        self.relays: dict[str, Forwarding] = {}
        self.nodes: dict[str, list[Peer]] = {region: [] for region in REGIONS}
        self.peers: dict[tuple[str, str], Peer] = {}
        for name in RELAYS:
            own = name.partition("-")[0]
            to = {region: self._link(name, region) for region in REGIONS if region != own}
            self.relays[name] = Forwarding(100, Crossing(name, own, regions, to, 100))
            self.nodes[own].append(peer(f"{own}-access", "access"))
            self.relays[name].join(self.nodes[own][-1])
        for dialer, dialled in sorted(links):
            self.peers[dialer, dialled] = peer(dialer, "relay")
            self.relays[dialled].join(self.peers[dialer, dialled])
        for region in sorted(wanting):
            for relay, node in zip(self._of(region), self.nodes[region], strict=True):
                self._want(relay, node, 1)
        for (dialer, dialled), seat in self.peers.items():
            link = self.relays[dialer].crossing._links[dialled.partition("-")[0]]
            assert isinstance(link, Link)
            if link.wanted:
                self._want(dialled, seat, 1)

    def send(self, envelope: bytes, *relays: str) -> None:
        """Have a router of the home send `envelope` to `relays`, and carry until nothing moves."""
        for relay in relays:
            self.relays[relay].batch(peer("eu-router", "router"), NORMAL, BATCH_START + envelope, 0)
        while self.way:
            sender, relay, raw = self.way.pop()
            self.crossed.append((sender, relay))
            assert len(self.crossed) < 100, "a loop"
            if (sender, relay) in self.peers:
                self.relays[relay].batch(self.peers[sender, relay], NORMAL, BATCH_START + raw, 0)

    def received(self, region: str) -> int:
        return sum(len(self._payload(node)) for node in self.nodes[region])

    def up_both_ways(self, relay: str, region: str) -> set[str]:
        others = self._of(region)
        return {o for o in others if (relay, o) in self.links and (o, relay) in self.links}

    def _payload(self, node: Peer) -> list[bytes]:
        return [raw for raw in node.lanes[NORMAL].gathered if raw[4] != Kind.CONFIRM]

    def _link(self, relay: str, region: str) -> Link:
        return Link(relay, [o for o in self._of(region) if (relay, o) in self.links], self.way)

    def _of(self, region: str) -> list[str]:
        return [name for name in RELAYS if name.startswith(region)]

    def _want(self, relay: str, node: Peer, generation: int) -> None:
        step = encode_header(Interest(generation, True, [ROOM], []))
        batch = BATCH_START + encode(Kind.INTEREST, NORMAL, header=step)
        self.relays[relay].batch(node, NORMAL, batch, 0)


links = st.sets(st.sampled_from(PAIRS)) | st.just(set(PAIRS))
wanting = st.sets(st.sampled_from(REGIONS))
CARRIER = carrier(ROOM, [name for name in RELAYS if name.startswith(HOME)]) or ""


@given(links, wanting)
def test_each_region_that_wants_a_message_gets_it_once(
    links: set[tuple[str, str]], wanting: set[str]
) -> None:
    it = Regional(links, wanting)
    it.send(room_message(ROOM, 1), CARRIER)
    for region in REGIONS:
        reached = region == HOME or it.up_both_ways(CARRIER, region)
        assert it.received(region) == bool(region in wanting and reached)
    arrived = Counter(relay.partition("-")[0] for _, relay in it.crossed)
    assert all(count == 1 for count in arrived.values())
    assert arrived.keys() <= wanting - {HOME}
    assert all(sender == CARRIER for sender, _ in it.crossed)


@given(links, wanting)
def test_heads_cross_from_the_carrier_alone_to_every_relay_that_wants_them(
    links: set[tuple[str, str]], wanting: set[str]
) -> None:
    it = Regional(links, wanting)
    for relay in (name for name in RELAYS if name.startswith(HOME)):
        head = encode_header(HeadsHeader("e", (0, 1, 0), crosses=relay == CARRIER))
        it.send(encode(Kind.HEADS, NORMAL, ROOM.encode(), head), relay)
    expected = {
        (CARRIER, relay)
        for region in wanting - {HOME}
        for relay in it.up_both_ways(CARRIER, region)
    }
    assert Counter(it.crossed) == Counter(expected)


@given(links)
def test_a_push_for_all_goes_once_to_each_region_that_is_up(links: set[tuple[str, str]]) -> None:
    it = Regional(links, set())
    everybody = encode(Kind.USERS, NORMAL, b"", encode_header(UsersHeader("i", [], 0)))
    it.send(everybody, CARRIER)
    for region in REGIONS:
        reached = region == HOME or it.up_both_ways(CARRIER, region)
        assert it.received(region) == bool(reached)


def test_rooms_that_nobody_elsewhere_wants_leave_nothing_behind() -> None:
    it = Regional(set(PAIRS), {"us"})
    for number in range(100):
        it.send(room_message(f"room-{number}", 1), CARRIER)
    it.send(room_message(ROOM, 1), CARRIER)
    assert list(it.relays[CARRIER].crossing.neighbours._chosen) == [ROOM.encode()]
