"""One life of the links to one relay: three lanes that come and go together."""

from collections.abc import Callable

import msgspec
import trio

from backends.links.interface import Dialed, Links
from mesh.addresses import LaneUrls
from mesh.interest import Announcer
from mesh.lane import Lane, LinkLostError
from mesh.outbox import Outbox
from mesh.settings import MeshSettings
from mesh.unreachable import complain
from proto.certificate_names import covers
from proto.envelopes import BadEnvelopeError, Envelope, Kind, encode
from proto.headers import Hello, Welcome, decode_confirm, decode_welcome, encode_header
from proto.priorities import Priority

WELCOME_S = 2.0
"""How long a relay may take to answer a hello; a healthy one takes a millisecond."""

STEP_BYTES = 50_000
"""Rooms in one step of interest: safely below the header's limit."""

SETTLE_S = 2.0
"""How long a relay must have been up before it carries anything, where others do: the other nodes
have found it too by then (they dial again within 0.25 s, and look for new relays each second), so
that nothing falls between."""

PART_POLL_S = 0.005

_CONTROL = frozenset((int(Kind.PONG), int(Kind.CONFIRM), int(Kind.LEAVING)))


class Connection:
    """A relay that has welcomed this node on every lane."""

    def __init__(
        self, welcome: Welcome, urls: LaneUrls, lanes: list[Lane], announcer: Announcer
    ) -> None:
        self.relay = welcome.relay
        self.region = welcome.region
        self.urls = urls
        self.incarnation = welcome.incarnation
        self.hot = welcome.hot
        """Whether the relay carries the hot way."""
        self.lanes = lanes
        self.announcer = announcer
        self.parted = trio.Event()
        """Set once nothing is on its way by it, and the relay has been told so."""
        self._leave_begun = trio.Event()
        self._up_since = trio.current_time()
        lanes[Priority.NORMAL].before_flush = self._announce

    @property
    def leaving(self) -> bool:
        """Whether the relay ends, or is given up: nothing new goes by it, answers excepted."""
        return self._leave_begun.is_set()

    @property
    def settled(self) -> bool:
        """Whether it has been up for so long that every other node has found it too."""
        return trio.current_time() >= self._up_since + SETTLE_S

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent by any lane."""
        return all(lane.idle for lane in self.lanes)

    async def run(
        self,
        settings: MeshSettings,
        take: Callable[[str, Envelope], None],
        confirmed: Callable[[list[str]], None],
        carries: Callable[[], None],
        needed: Callable[[str], bool],
    ) -> None:
        """Carry until a lane is lost; raises `LinkLostError`, inside a group.

        `carries` is called when the relay begins or ends to be one that carries; `needed` says
        whether one that leaves has something to bring yet.
        """
        relay = self.relay

        def taken(lane: Lane, envelope: Envelope) -> None:
            if envelope.kind not in _CONTROL:
                take(relay, envelope)
            elif envelope.kind == Kind.PONG:
                lane.pong(envelope.body)
            elif envelope.kind == Kind.LEAVING:
                self.leave()
                carries()
            else:
                confirmed(self._confirm(envelope))

        async with trio.open_nursery() as nursery:
            for lane in self.lanes:
                nursery.start_soon(lane.read, taken)
                nursery.start_soon(lane.write)
            self.lanes[Priority.NORMAL].wake()
            nursery.start_soon(self._stay_alive, settings.ping_s, settings.silence_s)
            nursery.start_soon(self._settle, carries)
            nursery.start_soon(self._part, needed)

    def go_down(self) -> None:
        """End all lanes."""
        for lane in self.lanes:
            lane.go_down()

    def leave(self) -> None:
        """Let nothing new go by this relay, and tell it so when nothing is on its way."""
        self._leave_begun.set()

    async def _settle(self, carries: Callable[[], None]) -> None:
        await trio.sleep_until(self._up_since + SETTLE_S)
        carries()

    async def _part(self, needed: Callable[[str], bool]) -> None:
        """Wait until nothing is on its way by a relay that is left, and tell it so."""
        await self._leave_begun.wait()
        while not self.idle or needed(self.relay):
            await trio.sleep(PART_POLL_S)
        for lane in self.lanes:
            lane.outbox.put_control(encode(Kind.LEAVING, lane.priority))
            lane.wake()
        self.parted.set()

    def changed(self, room: str) -> None:
        """Tell the relay soon that `room` is wanted, or no longer."""
        self.announcer.changed(room)
        self.lanes[Priority.NORMAL].wake()

    def take(self, key: str) -> None:
        """Tell this relay soon that `key` is wanted of it."""
        if self.announcer.take(key):
            self.lanes[Priority.NORMAL].wake()

    def give_back(self, key: str) -> None:
        """Tell this relay soon that `key` is no longer wanted of it."""
        if self.announcer.leave(key):
            self.lanes[Priority.NORMAL].wake()

    def _confirm(self, envelope: Envelope) -> list[str]:
        try:
            rooms = self.announcer.confirm(decode_confirm(envelope.header))
        except msgspec.MsgspecError as error:
            raise LinkLostError(f"a confirmation that can't be read: {error}") from error
        self.lanes[Priority.NORMAL].wake()
        return rooms

    def _announce(self) -> None:
        lane = self.lanes[Priority.NORMAL]
        for step in self.announcer.steps():
            lane.outbox.put_control(
                encode(Kind.INTEREST, Priority.NORMAL, header=encode_header(step))
            )

    async def _stay_alive(self, ping_s: float, silence_s: float) -> None:
        while True:
            now = trio.current_time()
            for lane in self.lanes:
                if lane.silent_for(now) > silence_s:
                    raise LinkLostError(f"nothing came for {silence_s} s")
                lane.ping(now)
            await trio.sleep(ping_s)


async def connect(
    urls: LaneUrls,
    links: Links,
    hello: Callable[[Priority], Hello],
    outboxes: list[Outbox],
    announcer: Announcer,
) -> Connection:
    """Dial the three lanes of a relay, trying until it is there, and be welcomed on each.

    Raises `LinkLostError` when it answers otherwise; nothing is left open then.
    """
    lanes: list[Lane] = []
    try:
        ends = await _dial(urls, links)
        lanes += [Lane(p, ends[p], outboxes[p]) for p in Priority]
        welcome = await _greet(lanes, hello)
    except BaseException:
        for lane in lanes:
            lane.go_down()
        raise
    return Connection(welcome, urls, lanes, announcer)


async def _dial(urls: LaneUrls, links: Links) -> list[Dialed]:
    ends: dict[Priority, Dialed] = {}

    async def dial(priority: Priority) -> None:
        ends[priority] = await links.dial(urls[priority])

    try:
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as dialling:
                nursery.start_soon(complain, links, urls[Priority.URGENT])
                for priority in Priority:
                    dialling.start_soon(dial, priority)
            nursery.cancel_scope.cancel()
    except BaseException:
        for end in ends.values():
            end.close()
        raise
    return [ends[priority] for priority in Priority]


async def _greet(lanes: list[Lane], hello: Callable[[Priority], Hello]) -> Welcome:
    welcomes: set[Welcome] = set()

    async def greet(lane: Lane) -> None:
        header = encode_header(hello(lane.priority))
        answer = await lane.greet(encode(Kind.HELLO, lane.priority, header=header))
        welcomes.add(decode_welcome(answer))

    try:
        with trio.fail_after(WELCOME_S):
            async with trio.open_nursery() as nursery:
                for lane in lanes:
                    nursery.start_soon(greet, lane)
    except* (trio.TooSlowError, LinkLostError, BadEnvelopeError, msgspec.MsgspecError) as errors:
        raise LinkLostError(f"no welcome: {errors.exceptions[0]!r}") from errors
    if len(welcomes) != 1:
        raise LinkLostError(f"the lanes lead to different relays: {welcomes}")
    welcome = welcomes.pop()
    _require_certificate(welcome.relay, lanes)
    return welcome


def _require_certificate(relay: str, lanes: list[Lane]) -> None:
    """Raise `LinkLostError` where TLS says that it is somebody else."""
    for lane in lanes:
        if lane.peer is not None and not covers(lane.peer, "relay", relay):
            raise LinkLostError(f"{relay} shows the certificate of {lane.peer or 'nobody'}")
