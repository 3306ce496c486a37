"""A relay at work: three listeners, and what comes from them handed to `Forwarding`. A thin shell.

Batches are taken lane by lane, a few at a time, and before each batch of normal or bulk the urgent
lane is looked at. When at least half of the receiving nodes are behind on a lane, the relay itself
is: then it gives routers no new credit on that lane until they have caught up, so that the bus
holds the backlog. Fewer than half are slow nodes, which cost the others nothing; nor does a node
that has stopped taking batches at all.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import structlog
import trio

from backends.bus.interface import Bus
from backends.links.interface import Endpoint, Event, Happened, Link, Links
from mesh.addresses import lane_urls
from mesh.batching import LINGER_S
from proto.envelopes import BATCH_START, BadEnvelopeError, Kind, encode, split
from proto.headers import Hello, Welcome, decode_hello, encode_header
from proto.identity import NodeIdentity
from proto.ids import is_node
from proto.priorities import Priority
from proto.records import Record
from relay.delivery import Touched
from relay.forwarding import Forwarding
from relay.hot.consumer import HotConsumer
from relay.lanes import LaneTraffic, PeerLane
from relay.leaving import Leaving
from relay.peer import Peer, Roster
from relay.permissions import SENDERS
from relay.regions.crossing import Crossing
from relay.regions.figures import region_status
from relay.regions.link import RegionLink
from relay.regions.settings import RegionRelays
from relay.settings import Settings

POLL_BATCHES = 4
"""Batches of one lane between two looks at the others: well under a millisecond of work."""

HOUSEKEEPING_S = 0.25
HELLO_S = 5.0
"""How long a link may go without a hello."""

log = structlog.get_logger()


class Relay:
    """Listens at the addresses of `settings` from the start; `run` does the work.

    Raises `OSError` where it can't listen.
    """

    def __init__(self, settings: Settings, node: NodeIdentity, links: Links) -> None:
        self._settings = settings
        self._node = node
        self.region_links = self._region_links(links)
        crossing = Crossing(
            node.node, node.region, settings.regions, self.region_links, settings.max_outstanding
        )
        self.forwarding = Forwarding(settings.max_outstanding, crossing)
        self.hot: HotConsumer | None = None
        """What carries the hot way, if this relay does; see `carry_hot`."""
        self.roster = Roster(self._make_lane)
        self.traffic = [LaneTraffic() for _ in Priority]
        self.arrivals = {region: [LaneTraffic() for _ in Priority] for region in self.region_links}
        """What has come from each other region, by lane."""
        self.violations: Counter[str] = Counter()
        """Links that were cut, by reason."""
        self.holds = [0 for _ in Priority]
        """How often a lane was held because the relay was behind."""
        self._held: list[list[Link]] = [[] for _ in Priority]
        self._late: list[dict[PeerLane, None]] = [{} for _ in Priority]
        """Lanes with something to send that would be too soon now."""
        self._some_late = [trio.Event() for _ in Priority]
        self._heard_at: dict[Link, float] = {}
        self._strangers: dict[Link, float] = {}
        self._leaving = Leaving(self.forwarding, self._flush, self.region_links.values())
        self._ends = _listen(settings.listen, links)

    @property
    def drops(self) -> Counter[tuple[str, Priority]]:
        """Envelopes that were dropped, by reason and lane."""
        return self.forwarding.drops

    @property
    def bad_messages(self) -> int:
        """Messages that were none of any link's; each cut its link."""
        return sum(end.bad for end in self._ends)

    def lane_depths(self) -> dict[str, int]:
        """Return how many envelopes wait on each lane, over all nodes."""
        peers = self.forwarding.peers.values()
        return {p.label: sum(peer.lanes[p].depth for peer in peers) for p in Priority}

    def lane_bytes(self) -> dict[str, int]:
        """Return how many bytes wait on each lane, over all nodes."""
        peers = self.forwarding.peers.values()
        return {p.label: sum(peer.lanes[p].depth_bytes for peer in peers) for p in Priority}

    def held(self, lane: Priority) -> bool:
        """Say whether routers get no new credit on `lane` at the moment."""
        return bool(self._held[lane])

    def status(self) -> dict[str, Any]:
        """Return what the relay is doing, as JSON-able values."""
        peers = self.forwarding.peers.values()
        return {
            "lanes": self._settings.advertise or self._settings.listen,
            "draining": self._leaving.begun,
            "links": len(peers),
            "nodes": sorted(peer.node for peer in peers),
            "rooms": len(self.forwarding.table),
            "hot": self.hot.status() if self.hot else None,
            "requests": len(self.forwarding.admission),
            "lane_depths": self.lane_depths(),
            "held": [p.label for p in Priority if self.held(p)],
            "holds": {p.label: self.holds[p] for p in Priority},
            "drops": {f"{reason} {p.label}": n for (reason, p), n in sorted(self.drops.items())},
            "regions": {
                region: region_status(link, self.forwarding.crossing, self.arrivals[region])
                for region, link in self.region_links.items()
            },
        }

    def carry_hot(self, bus: Bus) -> None:
        """Carry the hot way too, out of `bus`; to be said before `run`."""
        wanted, counters = self.forwarding.table.hot, self.forwarding.hot
        self.hot = HotConsumer(
            bus, self._node.node, wanted, counters, self._from_bus, self._hot_behind
        )

    async def run(self) -> None:
        """Forward until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                for lane in Priority:
                    nursery.start_soon(self._serve, lane)
                    nursery.start_soon(self._send_late, lane)
                nursery.start_soon(self._keep_house)
                if self.hot is not None:
                    nursery.start_soon(self.hot.run)
                for link in self.region_links.values():
                    nursery.start_soon(link.run)
        finally:
            for end in self._ends:
                end.close()

    async def leave(self) -> None:
        """Have all nodes use other relays, and wait until nothing waits for any of them."""
        await self._leaving.run()

    async def _serve(self, lane: Priority) -> None:
        end = self._ends[lane]
        while True:
            events = end.poll(POLL_BATCHES)
            if not events:
                await end.wait()
                continue
            for event in events:
                if lane is not Priority.URGENT:
                    self._look_at_urgent()
                self._handle(lane, event)
            await trio.lowlevel.checkpoint()

    def _look_at_urgent(self) -> None:
        for event in self._ends[Priority.URGENT].poll(POLL_BATCHES):
            self._handle(Priority.URGENT, event)

    def _handle(self, lane: Priority, event: Event) -> None:
        link, what = event
        if isinstance(what, bytes):
            self._take(lane, link, what)
        elif what is Happened.OPENED:
            self._strangers[link] = trio.current_time()
        elif what is Happened.GONE:
            self._strangers.pop(link, None)
            self._gone(link)
        elif (seat := self.roster.seat(link)) is not None:
            self._flush(seat.lane)
            self._let_go(lane)

    def _take(self, lane: Priority, link: Link, batch: bytes) -> None:
        seat = self.roster.seat(link)
        if seat is None and link not in self._strangers:
            return  # already cut: what it sent before that was read no longer counts
        now = trio.current_time()
        self._heard_at[link] = now
        try:
            if batch[: len(BATCH_START)] != BATCH_START:
                raise BadEnvelopeError("not a batch of this version")
            if seat is None:
                self._greet(lane, link, batch)
            elif seat.peer.complete:
                self._forward(seat.peer, lane, batch, now)
        except BadEnvelopeError as error:
            self._cut(link, "bad_envelope", str(error))
            return
        if seat is not None and self._must_hold(seat.peer, lane):
            self._held[lane].append(link)
        else:
            link.consumed()

    def _forward(self, peer: Peer, lane: Priority, batch: bytes, now: float) -> None:
        touched, count = self.forwarding.batch(peer, lane, batch, now)
        self.traffic[lane].came(count, len(batch))
        if peer.region in self.arrivals and peer.role == "relay":
            self.arrivals[peer.region][lane].came(count, len(batch))
        self._absorb(touched, now)

    def _greet(self, lane: Priority, link: Link, batch: bytes) -> None:
        """Seat who says hello, and cut who says anything else."""
        first = next(split(batch), None)
        if first is None or first.kind != Kind.HELLO:
            self._cut(link, "stranger", "said something before hello")
            return
        try:
            hello = decode_hello(first.header)
        except msgspec.MsgspecError as error:
            self._cut(link, "bad_hello", str(error))
            return
        if hello.lane != lane or not is_node(hello.node):
            self._cut(link, "bad_hello", f"node {hello.node!r} on lane {hello.lane}")
            return
        if hello.role == "relay" and not self.forwarding.crossing.admits(hello):
            self._cut(link, "bad_hello", f"a relay of region {hello.region!r}, no other of ours")
            return
        self._seat(link, hello)

    def _seat(self, link: Link, hello: Hello) -> None:
        rival = self.roster.rival(hello)
        if rival is not None:
            self.roster.replaced += 1
            self._remove(rival, "replaced by a newer connection")
        self._strangers.pop(link, None)
        peer = self.roster.sit(link, hello)
        me = self._node
        welcome = encode_header(
            Welcome(me.node, me.region, me.incarnation, hot=self.hot is not None)
        )
        peer.lanes[hello.lane].control(encode(Kind.WELCOME, Priority(hello.lane), header=welcome))
        self._flush(peer.lanes[hello.lane])
        if peer.complete:
            self.forwarding.join(peer)
            self._leaving.joined(peer)
            log.info("node_up", node=peer.node, role=peer.role)

    def _gone(self, link: Link) -> None:
        seat = self.roster.seat(link)
        self._heard_at.pop(link, None)
        if seat is not None:
            self._remove(seat.peer, "a link has gone")

    def _remove(self, peer: Peer, reason: str) -> None:
        """Take the node's connection out and cut its links: lanes come and go together."""
        self.roster.remove(peer)
        for lane in peer.lanes.values():
            lane.link.close()
            lane.discard()
            self._heard_at.pop(lane.link, None)
        self._absorb(self.forwarding.leave(peer), trio.current_time())
        for priority in Priority:
            self._let_go(priority)
        log.info("node_down", node=peer.node, role=peer.role, reason=reason)

    def _cut(self, link: Link, reason: str, detail: str) -> None:
        self.violations[reason] += 1
        log.warning("link_cut", peer=link.name, reason=reason, detail=detail)
        self._strangers.pop(link, None)
        seat = self.roster.seat(link)
        if seat is not None:
            self._remove(seat.peer, reason)
        link.close()

    def _must_hold(self, peer: Peer, lane: Priority) -> bool:
        if peer.role not in SENDERS or not self._behind(lane):
            return False
        self.holds[lane] += not self._held[lane]
        return True

    def _behind(self, lane: Priority) -> bool:
        """Say whether at least half of the receivers are behind: then it is not a slow node."""
        return self._are_behind(lane, self.forwarding.receivers)

    def _are_behind(self, lane: Priority, receivers: Collection[Peer]) -> bool:
        now = trio.current_time()
        behind = sum(peer.lanes[lane].behind(now) for peer in receivers)
        return behind * 2 >= max(1, len(receivers))

    def _from_bus(self, priority: Priority, records: Sequence[Record]) -> None:
        self._absorb(self.forwarding.from_bus(priority, records), trio.current_time())

    def _hot_behind(self, lane: Priority, shard: int) -> bool:
        return self._are_behind(lane, self.forwarding.hot_receivers(shard))

    def _let_go(self, lane: Priority) -> None:
        if self._held[lane] and not self._behind(lane):
            held, self._held[lane] = self._held[lane], []
            for link in held:
                link.consumed()

    def _absorb(self, touched: Touched, now: float) -> None:
        for lane in touched:
            if not lane.absorb(now):
                self._be_late(lane)

    def _flush(self, lane: PeerLane) -> None:
        if not lane.flush(trio.current_time()):
            self._be_late(lane)

    def _be_late(self, lane: PeerLane) -> None:
        self._late[lane.priority][lane] = None
        self._some_late[lane.priority].set()

    async def _send_late(self, priority: Priority) -> None:
        """Send, a little later, what would have been too soon."""
        while True:
            await self._some_late[priority].wait()
            await trio.sleep(LINGER_S[priority])
            late, self._late[priority] = self._late[priority], {}
            self._some_late[priority] = trio.Event()
            for lane in late:
                self._flush(lane)

    async def _keep_house(self) -> None:
        while True:
            await trio.sleep(HOUSEKEEPING_S)
            now = trio.current_time()
            self.forwarding.expire(now)
            for link in [each for each, since in self._strangers.items() if now - since > HELLO_S]:
                self._cut(link, "no_hello", f"nothing within {HELLO_S} s")
            for peer in self.roster.peers:
                self._check(peer, now)
            for lane in Priority:
                self._let_go(lane)

    def _check(self, peer: Peer, now: float) -> None:
        for lane in peer.lanes.values():
            if now - self._heard_at.get(lane.link, now) > self._settings.silence_s:
                self._cut(lane.link, "silent", f"nothing for {self._settings.silence_s} s")
                return
            if lane.full_since is not None and now - lane.full_since > self._settings.stuck_s:
                self._cut(lane.link, "stuck", f"the {lane.priority.label} lane stayed full")
                return

    def follow(self, links: Sequence[RegionRelays]) -> None:
        """Dial the relays of other regions that a changed config names.

        Raises `ValueError`, and changes nothing, for a region more or less: homes depend on that.
        """
        if {each.region for each in links} != self.region_links.keys():
            raise ValueError("relay.links: a region more or less takes a restart")
        for each in links:
            self.region_links[each.region].set_relays(each.relays)

    def relays_changed(self, region: str) -> None:
        """Take in that relays of another region have come or gone."""
        self._absorb(self.forwarding.relays_changed(region), trio.current_time())

    def under_way(self, region: str, relay: str) -> bool:
        """Say whether a relay of another region has something to answer."""
        return self.forwarding.crossing.under_way(region, relay)

    def _region_links(self, links: Links) -> dict[str, RegionLink]:
        return {
            each.region: RegionLink(
                self._node, each.region, each.relays, self._settings.silence_s, links, self
            )
            for each in self._settings.links
        }

    def _make_lane(self, priority: Priority, link: Link) -> PeerLane:
        urgent = priority is Priority.URGENT
        limit = self._settings.peer_urgent_bytes if urgent else self._settings.peer_lane_bytes
        return PeerLane(priority, link, limit, self.traffic[priority], self.drops)


def _listen(address: str, links: Links) -> list[Endpoint]:
    ends: list[Endpoint] = []
    try:
        ends += (links.listen(url) for url in lane_urls(address))
    except BaseException:
        for end in ends:
            end.close()
        raise
    return ends
