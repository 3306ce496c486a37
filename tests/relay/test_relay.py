"""A relay as its links see it: who is seated, who is cut and why, and whom that touches."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock as Clock

from backends.links.interface import Dialed
from backends.links.memory import MemoryNetwork
from mesh.addresses import lane_urls
from proto.envelopes import BATCH_START, Envelope, Kind, encode, split
from proto.headers import (
    Hello,
    Interest,
    NodeRole,
    ReplyHeader,
    RequestHeader,
    decode_confirm,
    decode_reply,
    decode_welcome,
    encode_header,
)
from proto.identity import NodeIdentity
from proto.priorities import Priority
from relay.relay import Relay
from relay.seating import HELLO_S
from relay.settings import Settings
from relay.status import status

ADDRESS = "tcp://relay:10"
URLS = lane_urls(ADDRESS)
ME = NodeIdentity(node="relay-1", region="local", incarnation="r1")


class Node:
    """A node by hand: three links, and whatever the test sends on them."""

    def __init__(self, name: str, role: NodeRole, incarnation: str) -> None:
        self.hello = Hello(name, role, "local", incarnation, 0)
        self.ends: list[Dialed] = []
        self.got: list[Envelope] = []
        self.gone = False
        self.reading = True

    async def connect(self, network: MemoryNetwork) -> None:
        for lane in Priority:
            end = await network.dial(URLS[lane])
            self.ends.append(end)
            hello = Hello(*(getattr(self.hello, f) for f in Hello.__struct_fields__[:-1]), lane)
            self.send(lane, encode(Kind.HELLO, lane, header=encode_header(hello)))

    def send(self, lane: int, *envelopes: bytes) -> None:
        self.ends[lane].link.send(b"".join((BATCH_START, *envelopes)))

    def read(self) -> list[Envelope]:
        for end in self.ends if self.reading else ():
            for link, what in end.poll(100):
                if isinstance(what, bytes):
                    self.got += split(what)
                    link.consumed()
                self.gone |= getattr(what, "value", "") == "gone"
            end.poll(0)
        return self.got

    def bodies(self, kind: Kind = Kind.ROOM) -> list[bytes]:
        return [envelope.body for envelope in self.read() if envelope.kind == kind]

    async def until(self, condition: Callable[[], Any], within_s: float = 5.0) -> None:
        with trio.fail_after(within_s):
            while self.read() is None or not condition():
                await trio.sleep(0.001)


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
async def relay(network: MemoryNetwork) -> AsyncIterator[Relay]:
    relay = Relay(Settings(listen=ADDRESS, peer_lane_bytes=2 << 20), ME, network)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run)
        yield relay
        nursery.cancel_scope.cancel()


Join = Callable[..., Any]


@pytest.fixture
def join(network: MemoryNetwork, relay: Relay) -> Join:
    async def joined(name: str, role: NodeRole, incarnation: str = "a", *rooms: str) -> Node:
        node = Node(name, role, incarnation)
        await node.connect(network)
        await node.until(lambda: len(node.got) == 3)
        if rooms:
            step = encode_header(Interest(1, True, list(rooms), []))
            node.send(1, encode(Kind.INTEREST, Priority.NORMAL, header=step))
            await node.until(lambda: len(node.got) == 4)
        return node

    return joined


def room_message(body: bytes) -> bytes:
    return encode(Kind.ROOM, Priority.NORMAL, b"lobby", b"h", body)


async def test_each_lane_is_welcomed_by_name(join: Join) -> None:
    node = await join("access-1", "access")
    welcomes = {decode_welcome(envelope.header) for envelope in node.got}
    assert [(w.relay, w.region, w.incarnation) for w in welcomes] == [("relay-1", "local", "r1")]


async def test_each_batch_in_becomes_one_batch_out_for_each_receiver(
    join: Join, relay: Relay
) -> None:
    router = await join("router-1", "router")
    nodes = [await join(f"access-{n}", "access", "a", "lobby") for n in (1, 2)]
    before = relay.traffic[Priority.NORMAL].batches_out
    router.send(1, *(room_message(b"%d" % n) for n in range(50)))
    for node in nodes:
        await node.until(lambda node=node: len(node.bodies()) == 50)
        assert node.bodies() == [b"%d" % n for n in range(50)]
    assert relay.traffic[Priority.NORMAL].batches_out - before == 2


async def test_a_stranger_is_cut_and_touches_nobody(
    join: Join, relay: Relay, network: MemoryNetwork
) -> None:
    node = await join("access-1", "access", "a", "lobby")
    stranger = Node("x", "router", "a")
    stranger.ends.append(await network.dial(URLS[1]))
    stranger.send(0, room_message(b"forged"))
    await stranger.until(lambda: stranger.gone)
    assert relay.seating.violations == {"stranger": 1}
    assert not node.bodies()
    assert not node.gone


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (encode_header(Hello("Bad Name", "access", "local", "a", 0)), "bad_hello"),
        (encode_header(Hello("access-1", "access", "local", "a", 2)), "bad_hello"),
        (encode_header(["access-1", "emperor", "local", "a", 0]), "bad_hello"),
        (b"\xc1", "bad_hello"),
    ],
    ids=["name", "lane", "role", "unreadable"],
)
async def test_a_hello_that_does_not_fit_is_cut(
    relay: Relay, network: MemoryNetwork, hello: bytes, reason: str
) -> None:
    node = Node("x", "access", "a")
    node.ends.append(await network.dial(URLS[0]))
    node.send(0, encode(Kind.HELLO, Priority.URGENT, header=hello))
    await node.until(lambda: node.gone)
    assert relay.seating.violations == {reason: 1}


@pytest.mark.parametrize(
    "batch",
    [b"R\x02", b"nonsense", BATCH_START + b"\0", BATCH_START + b"\0\0\1\0" + bytes(10)],
    ids=["other-version", "no-batch", "cut-prefix", "lengths"],
)
async def test_a_batch_that_cant_be_read_cuts_its_sender_alone(
    join: Join, relay: Relay, batch: bytes
) -> None:
    router, other = await join("router-1", "router"), await join("router-2", "router")
    node = await join("access-1", "access", "a", "lobby")
    router.ends[1].link.send(batch)
    await router.until(lambda: router.gone)
    assert relay.seating.violations == {"bad_envelope": 1}
    other.send(1, room_message(b"still here"))
    await node.until(lambda: node.bodies() == [b"still here"])


async def test_headers_that_cant_be_read_are_counted_and_dropped(join: Join, relay: Relay) -> None:
    probe = await join("probe-1", "probe")
    for kind in (Kind.SPREAD, Kind.REQUEST, Kind.REPLY, Kind.INTEREST):
        probe.send(0, encode(kind, Priority.URGENT, b"k", b"\xc1"))
        await trio.sleep(0.01)
        probe.read()
    probe.send(0, encode(Kind.USERS, Priority.URGENT, b"\xff", b""))
    probe.send(0, b"\0\0\0\6" + bytes([99, 0, 0, 0, 0, 0]))
    await probe.until(lambda: relay.drops.total() == 6)
    assert relay.drops == {
        ("bad_header", Priority.URGENT): 5,
        ("unknown_kind", Priority.URGENT): 1,
    }
    assert not probe.gone


async def test_a_link_without_hello_is_cut_in_time(
    relay: Relay, network: MemoryNetwork, autojump_clock: Clock
) -> None:
    quiet = Node("x", "access", "a")
    quiet.ends.append(await network.dial(URLS[0]))
    await quiet.until(lambda: quiet.gone, HELLO_S + 1)
    assert relay.seating.violations == {"no_hello": 1}


async def test_a_silent_node_is_cut_within_its_time(
    join: Join, relay: Relay, network: MemoryNetwork, autojump_clock: Clock
) -> None:
    node = await join("access-1", "access", "a", "lobby")
    for url in URLS:
        network.freeze(url)
    await trio.sleep(3.5)
    assert relay.seating.violations == {"silent": 1}
    assert not relay.forwarding.peers
    assert not len(relay.forwarding.table)
    assert node.hello.node not in status(relay)["nodes"]


async def test_a_newer_life_of_a_node_replaces_the_earlier_one(join: Join, relay: Relay) -> None:
    old = await join("access-1", "access", "a", "lobby")
    new = await join("access-1", "access", "b", "parlour")
    await old.until(lambda: old.gone)
    assert relay.seating.roster.replaced == 1
    assert not relay.forwarding.table.receivers(b"lobby")
    router = await join("router-1", "router")
    router.send(1, encode(Kind.USERS, Priority.NORMAL, b"access-1", b"", b"hi"))
    await new.until(lambda: new.bodies(Kind.USERS) == [b"hi"])


async def test_lanes_go_together(join: Join, relay: Relay) -> None:
    node = await join("access-1", "access", "a", "lobby")
    node.ends[2].link.close()
    await node.until(lambda: not relay.forwarding.peers)
    assert all(not end.link.sendable for end in node.ends if end.poll(10))


async def test_a_request_in_anothers_name_is_refused(join: Join, relay: Relay) -> None:
    access, logic = await join("access-1", "access"), await join("logic-1", "logic")
    forged = RequestHeader(1, "access-2", "a", "publish", 1000)
    access.send(1, encode(Kind.REQUEST, Priority.NORMAL, b"logic", encode_header(forged)))
    await access.until(lambda: relay.drops["forbidden", Priority.NORMAL] == 1)
    assert not logic.bodies(Kind.REQUEST)


@pytest.mark.parametrize(
    ("role", "method"),
    [
        *(("access", method) for method in ("push", "auth", "revoke", "moderation", "revocations")),
        *(("logic", method) for method in ("publish", "push", "revoke")),
        *(("router", method) for method in ("publish", "likes", "none of ours")),
    ],
)
async def test_a_role_asks_nothing_that_is_not_its_own(
    join: Join, relay: Relay, role: NodeRole, method: str
) -> None:
    asker, logic = await join("asker", role), await join("logic-1", "logic")
    header = RequestHeader(1, "asker", "a", method, 1000, uid="ann", role="server")
    asker.send(1, encode(Kind.REQUEST, Priority.NORMAL, b"logic", encode_header(header)))
    await asker.until(lambda: relay.drops["forbidden", Priority.NORMAL] == 1)
    assert not logic.bodies(Kind.REQUEST)


async def test_a_late_reply_is_dropped(join: Join, relay: Relay, autojump_clock: Clock) -> None:
    access, logic = await join("access-1", "access"), await join("logic-1", "logic")
    header = RequestHeader(1, "access-1", "a", "publish", 100)
    access.send(1, encode(Kind.REQUEST, Priority.NORMAL, b"logic", encode_header(header), b"q"))
    await logic.until(lambda: logic.bodies(Kind.REQUEST) == [b"q"])
    await trio.sleep(1.0)
    late = encode_header(ReplyHeader(1, "a"))
    logic.send(1, encode(Kind.REPLY, Priority.NORMAL, b"access-1", late))
    await logic.until(lambda: relay.drops["late_reply", Priority.NORMAL] == 1)
    assert not len(relay.forwarding.admission)
    assert not [e for e in access.read() if e.kind == Kind.REPLY and not decode_reply(e.header)]


async def test_a_missing_step_of_interest_is_told_as_stale(join: Join) -> None:
    node = await join("access-1", "access", "a", "lobby")
    step = encode_header(Interest(9, False, ["parlour"], []))
    node.send(1, encode(Kind.INTEREST, Priority.NORMAL, header=step))
    await node.until(lambda: len(node.got) == 5)
    assert decode_confirm(node.got[-1].header).stale


async def stay_alive(*nodes: Node) -> None:
    """Ping on each lane, as nodes do, and let some time pass."""
    for node in nodes:
        for lane in Priority:
            node.ends[lane].link.send_control(BATCH_START + encode(Kind.PING, lane))
        node.read()
    await trio.sleep(0.2)


async def test_a_slow_node_never_holds_the_others_and_is_cut(
    join: Join, relay: Relay, autojump_clock: Clock
) -> None:
    router = await join("router-1", "router")
    slow, one, two = [
        await join(name, "access", "a", "lobby") for name in ("access-1", "access-2", "access-3")
    ]
    slow.reading = False
    for number in range(300):
        while not router.ends[1].link.sendable:
            for node in (router, one, two):
                node.read()
            await trio.sleep(0.001)
        router.send(1, room_message(b"%d " % number + b"x" * 50_000))
    for node in (one, two):
        await node.until(lambda node=node: len(node.bodies()) == 300)
    assert relay.drops.keys() == {("lane_full", Priority.NORMAL)}
    with trio.fail_after(3.5):
        while "access-1" in relay.forwarding.peers:
            await stay_alive(router, slow, one, two)
    assert relay.seating.violations == {"stuck": 1}
    assert status(relay)["nodes"] == ["access-2", "access-3", "router-1"]


async def test_routers_are_pushed_back_while_the_receivers_are_behind(
    join: Join, relay: Relay, autojump_clock: Clock
) -> None:
    router = await join("router-1", "router")
    nodes = [await join(f"access-{n}", "access", "a", "lobby") for n in (1, 2)]
    sent = 0
    for _ in range(200):
        for node in nodes:
            node.reading = False
        router.read()
        while router.ends[1].link.sendable:
            router.send(1, room_message(b"%d " % sent + b"x" * 100_000))
            sent += 1
        await trio.sleep(0.001)
        if relay.holding.held(Priority.NORMAL):
            break
    assert status(relay)["held"] == ["normal"]
    for node in nodes:
        node.reading = True
        await node.until(lambda: not relay.holding.held(Priority.NORMAL))
        await node.until(lambda node=node: len(node.bodies()) == sent)
    assert not relay.drops
