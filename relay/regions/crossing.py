"""What goes from this relay to other regions, and what may come from them. Pure but for the links
that it puts envelopes on; `relay.forwarding` calls it where regions matter."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from proto.envelopes import Envelope, Kind, encode
from proto.errors import ErrorCode
from proto.headers import Confirm, Hello, Interest
from proto.priorities import Priority
from proto.regions import ONE_REGION, Regions
from relay.admission import Admission, Outstanding, Ticket
from relay.hot.wanted import Wanted
from relay.peer import Peer
from relay.regions.homes import home_of_key
from relay.regions.neighbours import Append, Carrying, Neighbours
from relay.regions.wishes import Asked, Wishes


class Link(Carrying, Asked, Protocol):
    """The link to one other region, as `relay.regions.link.RegionLink` is."""


class Crossing:
    """The other regions as relay `me` of region `own` sees them; `links` by region."""

    def __init__(
        self, me: str, own: str, regions: Regions, links: Mapping[str, Link], max_outstanding: int
    ) -> None:
        self._me = me
        self._own = own
        self._regions = regions
        self._links = links
        self._others = frozenset(regions.others(own))
        self.hot = Wanted(self._at_home)
        """What is wanted of this region's hot topics, here and elsewhere."""
        self.neighbours = Neighbours(links, self.hot)
        self.wishes = Wishes(self._home_of, links)
        self.came: Counter[tuple[str, int]] = Counter()
        """Room messages that have come from other regions, by region and lane."""
        self._asked: dict[str, Admission[str]] = {
            each: Admission(max_outstanding) for each in links
        }

    def reconfigured(self, max_outstanding: int) -> None:
        """Have another bound of requests from now on, for each relay of another region."""
        for asked in self._asked.values():
            asked.limit = max_outstanding

    def admits(self, hello: Hello) -> bool:
        """Say whether a relay that says `hello` may be one of another region."""
        return hello.region in self._others

    def relays_changed(self, region: str) -> list[Outstanding[str]]:
        """Note that relays of `region` have come or gone, in either direction; returns what those
        that have gone leave unanswered."""
        self.neighbours.changed()
        asked = self._asked.get(region)
        if asked is None:
            return []
        answering = self.neighbours.answering(region)
        for relay in answering:
            asked.join(relay)
        gone = [relay for relay in asked.up if relay not in answering]
        return [left for relay in gone for left in asked.leave(relay)]

    def under_way(self, region: str, relay: str) -> bool:
        """Say whether something that was asked by `relay` has no answer yet."""
        return self._asked[region].load(relay) > 0

    def step(self, peer: Peer, step: Interest) -> tuple[Confirm, int]:
        """Take in the interest of a relay of another region: in what is at home here alone.

        Returns what to answer, and how many rooms it may not want of us.
        """
        mine = [key for key in step.add if self._home_of(key) == self._own]
        allowed = Interest(step.generation, step.full, mine, step.drop)
        return self.neighbours.step(peer, allowed), len(step.add) - len(mine)

    def copies(self, key: bytes, lane: int) -> list[Append]:
        """Return where a message goes that is for those who want `key`: once to each region."""
        return self._appends(self.neighbours.chosen(key), lane)

    def heads(self, key: bytes, lane: int) -> list[Append]:
        """Return where heads go: to every relay that wants `key`, so that a node whose link to one
        of them is broken hears of the gap from the others."""
        return self._appends(self.neighbours.interested_in(key), lane)

    def to_every_region(self, envelope: Envelope) -> None:
        """Send `envelope` to one relay of each other region, a different one from each of ours."""
        for region in self._links:
            self.to_region(region, self._me, envelope.priority, envelope.raw)

    def to_region(self, region: str, key: str, lane: int, raw: bytes) -> bool:
        """Send to the relay of `region` that carries `key`; false where none is up."""
        relays = self.neighbours.reachable(region, key)
        return bool(relays) and self.to_relay(region, relays[0], lane, raw)

    def to_relay(self, region: str, relay: str, lane: int, raw: bytes) -> bool:
        """Send to one relay of `region`; false where that can't be done now."""
        link = self._links.get(region)
        return link is not None and link.offer(relay, Priority(lane), raw)

    def ask(
        self, region: str, service: bytes, envelope: Envelope, ticket: Ticket, deadline: float
    ) -> ErrorCode | None:
        """Send a REQUEST up to `region`, for `service` there; returns the error to refuse it with.

        It goes by the relay that carries the asking node, so that what a node asks stays in order.
        """
        relays, lane = self.neighbours.reachable(region, ticket.source), Priority(envelope.priority)
        if not relays:
            return ErrorCode.HOME_UNREACHABLE
        asked = self._asked[region]
        if not asked.place_at(relays[0], ticket, lane, deadline):
            return ErrorCode.OVERLOADED
        raw = encode(Kind.REQUEST, lane, service, envelope.header, envelope.body)
        if self.to_relay(region, relays[0], lane, raw):
            return None
        asked.answered(ticket)
        return ErrorCode.OVERLOADED

    def answered(self, region: str, ticket: Ticket) -> Outstanding[str] | None:
        """Note an answer that has come from `region`; `None` when nobody waits for it."""
        asked = self._asked.get(region)
        return asked.answered(ticket) if asked is not None else None

    def loss(self, region: str) -> ErrorCode:
        """Return what a request is answered with whose relay of `region` has gone: by another one
        it may do better, but where there is none its home can't be reached."""
        reachable = self.neighbours.reachable(region, "")
        return ErrorCode.UNAVAILABLE if reachable else ErrorCode.HOME_UNREACHABLE

    def expire(self, now: float) -> int:
        """Give back the places of requests whose askers have given up; returns how many."""
        return sum(asked.expire(now) for asked in self._asked.values())

    @property
    def requests(self) -> dict[str, int]:
        """How many requests to each region are without an answer."""
        return {region: len(asked) for region, asked in self._asked.items()}

    def _home_of(self, key: str) -> str:
        return home_of_key(self._regions, key)

    def _at_home(self, key: str) -> bool:
        return self._home_of(key) not in self._others

    def _appends(self, copies: Iterable[tuple[str, str]], lane: int) -> list[Append]:
        return [self.neighbours.append(region, relay, lane) for region, relay in copies]


def one_region() -> Crossing:
    """Return the crossing of a cluster with one region: nothing goes anywhere."""
    return Crossing("", "", ONE_REGION, {}, 1)
