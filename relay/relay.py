"""A relay at work: its parts, and what comes from its links and the bus handed to `Forwarding`."""

from collections import Counter
from collections.abc import Sequence

import trio

from backends.bus.interface import Bus
from backends.links.interface import Event, Happened, Link, Links
from proto.envelopes import BATCH_START, BadEnvelopeError
from proto.headers import Hello
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.records import Record
from proto.settings_types import RestartNeededError
from relay.forwarding import Forwarding
from relay.holding import Holding
from relay.hot.consumer import HotConsumer
from relay.lanes import LaneTraffic, PeerLane
from relay.leaving import Leaving
from relay.listening import Listening
from relay.peer import Peer, Roster
from relay.regions.crossing import Crossing
from relay.regions.link import RegionLink
from relay.regions.settings import RegionRelays
from relay.seating import Seating
from relay.sending import Sending
from relay.settings import Settings

HOUSEKEEPING_S = 0.25


class Relay:
    """Listens at the addresses of `settings` from the start; `run` does the work.

    Raises `OSError` where it can't listen.
    """

    def __init__(self, settings: Settings, node: NodeIdentity, links: Links) -> None:
        self.settings = settings
        self._node = node
        self.links = links
        self.region_links = self._region_links(links)
        crossing = Crossing(
            node.node, node.region, settings.regions, self.region_links, settings.max_outstanding
        )
        self.forwarding = Forwarding(settings.max_outstanding, crossing)
        self.hot: HotConsumer | None = None
        """What carries the hot way, if this relay does; see `carry_hot`."""
        self.traffic = [LaneTraffic() for _ in Priority]
        self.arrivals = {region: [LaneTraffic() for _ in Priority] for region in self.region_links}
        """What has come from each other region, by lane."""
        self.sending = Sending()
        self.holding = Holding(self.forwarding)
        self.leaving = Leaving(self.forwarding, self.sending.flush, self.region_links.values())
        self.seating = Seating(node, settings, Roster(self._make_lane), self.sending, self)
        self.listening = Listening(settings.listen, links, self._handle)

    @property
    def drops(self) -> Counter[tuple[str, Priority]]:
        """Envelopes that were dropped, by reason and lane."""
        return self.forwarding.drops

    def carry_hot(self, bus: Bus) -> None:
        """Carry the hot way too, out of `bus`; to be said before `run`."""
        wanted, counters = self.forwarding.table.hot, self.forwarding.hot
        self.hot = HotConsumer(
            bus, self._node.node, wanted, counters, self._from_bus, self.holding.hot_behind
        )
        self.seating.carries_hot = True

    async def run(self) -> None:
        """Forward until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                for lane in Priority:
                    nursery.start_soon(self.listening.serve, lane)
                    nursery.start_soon(self.sending.run, lane)
                nursery.start_soon(self._keep_house)
                if self.hot is not None:
                    nursery.start_soon(self.hot.run)
                for link in self.region_links.values():
                    nursery.start_soon(link.run)
        finally:
            self.listening.close()

    async def leave(self) -> None:
        """Have all nodes use other relays, and wait until nothing waits for any of them."""
        await self.leaving.run()

    async def _keep_house(self) -> None:
        while True:
            await trio.sleep(HOUSEKEEPING_S)
            now = trio.current_time()
            self.forwarding.expire(now)
            self.seating.check(now)
            self._let_go()

    def _let_go(self) -> None:
        for lane in Priority:
            self.holding.let_go(lane)

    # -- what comes

    def _handle(self, lane: Priority, event: Event) -> None:
        link, what = event
        if isinstance(what, bytes):
            self._take(lane, link, what)
        elif what is Happened.OPENED:
            self.seating.opened(link)
        elif what is Happened.GONE:
            self.seating.gone(link)
        elif (seat := self.seating.seat(link)) is not None:
            self.sending.flush(seat.lane)
            self.holding.let_go(lane)

    def _take(self, lane: Priority, link: Link, batch: bytes) -> None:
        now = trio.current_time()
        if not self.seating.heard(link, now):
            return
        seat = self.seating.seat(link)
        try:
            if batch[: len(BATCH_START)] != BATCH_START:
                raise BadEnvelopeError("not a batch of this version")
            if seat is None:
                self.seating.greet(lane, link, batch)
            elif seat.peer.complete:
                self._forward(seat.peer, lane, batch, now)
        except BadEnvelopeError as error:
            self.seating.cut(link, "bad_envelope", str(error))
            return
        if seat is None or not self.holding.hold(seat.peer, lane, link):
            link.consumed()

    def _forward(self, peer: Peer, lane: Priority, batch: bytes, now: float) -> None:
        touched, count = self.forwarding.batch(peer, lane, batch, now)
        self.traffic[lane].came(count, len(batch))
        if peer.region in self.arrivals and peer.role == "relay":
            self.arrivals[peer.region][lane].came(count, len(batch))
        self.sending.absorb(touched, now)

    def _from_bus(self, priority: Priority, records: Sequence[Record]) -> None:
        self.sending.absorb(self.forwarding.from_bus(priority, records), trio.current_time())

    # -- a config that has changed

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload: bounds, and the relays of other regions.

        Raises `RestartNeededError`, and changes nothing, for a region more or less.
        """
        self._refuse_other_regions(settings.links)
        for each in settings.links:
            self.region_links[each.region].set_relays(each.relays)
        self.settings = self.seating.settings = settings
        self.forwarding.reconfigured(settings.max_outstanding)
        for peer in self.seating.roster.peers:
            for lane in peer.lanes.values():
                lane.limit_bytes = self._limit_bytes(lane.priority)

    # -- `relay.seating.House`

    def admits(self, hello: Hello) -> bool:
        """See `House`: relays of other regions alone have to be of a region that is known."""
        return hello.role != "relay" or self.forwarding.crossing.admits(hello)

    def joined(self, peer: Peer) -> None:
        """See `House`."""
        self.forwarding.join(peer)
        self.leaving.joined(peer)

    def left(self, peer: Peer) -> None:
        """See `House`."""
        self.sending.absorb(self.forwarding.leave(peer), trio.current_time())
        self._let_go()

    # -- other regions, and `relay.regions.link.Watch`

    def _refuse_other_regions(self, links: Sequence[RegionRelays]) -> None:
        """Raise `RestartNeededError` for a region more or less: homes depend on that."""
        if {each.region for each in links} != self.region_links.keys():
            raise RestartNeededError("relay.links: a region more or less takes a restart")

    def relays_changed(self, region: str) -> None:
        """Take in that relays of another region have come or gone."""
        self.sending.absorb(self.forwarding.relays_changed(region), trio.current_time())

    def under_way(self, region: str, relay: str) -> bool:
        """Say whether a relay of another region has something to answer."""
        return self.forwarding.crossing.under_way(region, relay)

    def _region_links(self, links: Links) -> dict[str, RegionLink]:
        silence_s, tls = self.settings.silence_s, self.settings.tls
        return {
            each.region: RegionLink(
                self._node, each.region, each.relays, silence_s, links, self, tls
            )
            for each in self.settings.links
        }

    def _make_lane(self, priority: Priority, link: Link) -> PeerLane:
        return PeerLane(
            priority, link, self._limit_bytes(priority), self.traffic[priority], self.drops
        )

    def _limit_bytes(self, priority: Priority) -> int:
        urgent = priority is Priority.URGENT
        return self.settings.peer_urgent_bytes if urgent else self.settings.peer_lane_bytes
