"""Who gets a seat, and who loses it: greets those who say hello and cuts those who misbehave.

A link is a stranger's until it says hello. A node's three links come and go together: where one has
to go, or goes, the node does.
"""

from collections import Counter
from typing import Protocol

import msgspec
import structlog
import trio

from backends.links.interface import Link
from proto.certificate_names import covers
from proto.envelopes import Envelope, Kind, encode, split
from proto.headers import Hello, Welcome, decode_hello, encode_header
from proto.identity import NodeIdentity
from proto.ids import is_node
from proto.priorities import Priority
from relay.peer import Peer, Roster, Seat
from relay.sending import Sending
from relay.settings import Settings

HELLO_S = 5.0
"""How long a link may go without a hello."""

log = structlog.get_logger()


class House(Protocol):
    """Where nodes are seated: who decides whom it is for, and hears who has come and gone."""

    def admits(self, hello: Hello) -> bool:
        """Say whether whoever says this hello may be seated."""

    def joined(self, peer: Peer) -> None:
        """Take in a node whose lanes are complete."""

    def left(self, peer: Peer) -> None:
        """Take out a node, complete or not, whose links are cut already."""


class Seating:
    """Seats those who come by the relay's links, on behalf of `house`."""

    def __init__(
        self, me: NodeIdentity, settings: Settings, roster: Roster, sending: Sending, house: House
    ) -> None:
        self.roster = roster
        self.carries_hot = False
        """Whether this relay carries the hot way: it says so in its welcomes."""
        self.violations: Counter[str] = Counter()
        """Links that were cut, by reason."""
        self._me = me
        self.settings = settings
        self._sending = sending
        self._house = house
        self._heard_at: dict[Link, float] = {}
        self._strangers: dict[Link, float] = {}

    def opened(self, link: Link) -> None:
        """Take in a link that is a stranger's yet."""
        self._strangers[link] = trio.current_time()

    def heard(self, link: Link, now: float) -> bool:
        """Note that something has come by `link`; false if it was cut already: what it sent before
        that was read no longer counts."""
        if self.roster.seat(link) is None and link not in self._strangers:
            return False
        self._heard_at[link] = now
        return True

    def seat(self, link: Link) -> Seat | None:
        """Return whose link it is, or `None` for a stranger's."""
        return self.roster.seat(link)

    def greet(self, lane: Priority, link: Link, batch: bytes) -> None:
        """Seat who says hello, and cut who says anything else.

        Raises `BadEnvelopeError` where the first envelope can't be read.
        """
        hello = self._hello(link, next(split(batch), None))
        if hello is None:
            return
        if hello.lane != lane or not is_node(hello.node):
            self.cut(link, "bad_hello", f"node {hello.node!r} on lane {hello.lane}")
        elif link.peer is not None and not covers(link.peer, hello.role, hello.node):
            shown = link.peer or "nobody"
            detail = f"{hello.role}/{hello.node} shows the certificate of {shown}"
            self.cut(link, "bad_certificate", detail)
        elif not self._house.admits(hello):
            self.cut(link, "bad_hello", f"a relay of region {hello.region!r}, no other of ours")
        else:
            self._sit(link, hello)

    def gone(self, link: Link) -> None:
        """Take in that a link has gone."""
        self._strangers.pop(link, None)
        seat = self.roster.seat(link)
        self._heard_at.pop(link, None)
        if seat is not None:
            self._remove(seat.peer, "a link has gone")

    def cut(self, link: Link, reason: str, detail: str) -> None:
        """Cut a link, and the node whose it is with all of its links."""
        self.violations[reason] += 1
        log.warning("link_cut", peer=link.name, reason=reason, detail=detail)
        self._strangers.pop(link, None)
        seat = self.roster.seat(link)
        if seat is not None:
            self._remove(seat.peer, reason)
        link.close()

    def check(self, now: float) -> None:
        """Cut strangers that say no hello, and nodes that are silent or stuck."""
        for link in [each for each, since in self._strangers.items() if now - since > HELLO_S]:
            self.cut(link, "no_hello", f"nothing within {HELLO_S} s")
        for peer in self.roster.peers:
            self._check(peer, now)

    def _hello(self, link: Link, first: Envelope | None) -> Hello | None:
        if first is None or first.kind != Kind.HELLO:
            self.cut(link, "stranger", "said something before hello")
            return None
        try:
            return decode_hello(first.header)
        except msgspec.MsgspecError as error:
            self.cut(link, "bad_hello", str(error))
            return None

    def _sit(self, link: Link, hello: Hello) -> None:
        rival = self.roster.rival(hello)
        if rival is not None:
            self.roster.replaced += 1
            self._remove(rival, "replaced by a newer connection")
        self._strangers.pop(link, None)
        peer = self.roster.sit(link, hello)
        me, lane = self._me, peer.lanes[hello.lane]
        welcome = encode_header(Welcome(me.node, me.region, me.incarnation, hot=self.carries_hot))
        lane.control(encode(Kind.WELCOME, lane.priority, header=welcome))
        self._sending.flush(lane)
        if peer.complete:
            self._house.joined(peer)
            log.info("node_up", node=peer.node, role=peer.role)

    def _remove(self, peer: Peer, reason: str) -> None:
        """Take the node's connection out and cut its links: lanes come and go together."""
        self.roster.remove(peer)
        for lane in peer.lanes.values():
            lane.link.close()
            lane.discard()
            self._heard_at.pop(lane.link, None)
        self._house.left(peer)
        log.info("node_down", node=peer.node, role=peer.role, reason=reason)

    def _check(self, peer: Peer, now: float) -> None:
        silence_s, stuck_s = self.settings.silence_s, self.settings.stuck_s
        for lane in peer.lanes.values():
            if now - self._heard_at.get(lane.link, now) > silence_s:
                self.cut(lane.link, "silent", f"nothing for {silence_s} s")
                return
            if lane.full_since is not None and now - lane.full_since > stuck_s:
                self.cut(lane.link, "stuck", f"the {lane.priority.label} lane stayed full")
                return
