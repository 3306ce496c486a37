"""Links to a set of relays, each kept up by itself: what a node's end of the mesh stands on."""

from collections import Counter
from collections.abc import Iterable

import structlog
import trio

from backends.links.interface import Certificate, Links
from mesh.addresses import LaneUrls
from mesh.carriers import Carriers
from mesh.connection import Connection, connect
from mesh.dialling import Dialling
from mesh.interface import RelayDownError
from mesh.lane import LinkLostError, Traffic
from mesh.outbox import Outbox
from mesh.settings import MeshSettings
from mesh.wanted import Wanted
from proto.envelopes import KIND_AT, Envelope, Kind
from proto.headers import Hello, NodeRole
from proto.identity import NodeIdentity
from proto.priorities import Priority

RECONNECT_S = 0.05
"""Pause before a lost relay is dialled again; dialling itself waits until it is there."""

LINGER_S = 5.0
"""How long a relay that was taken out of the config is still listened to: the other nodes read
theirs anew each second, and until then they send by it."""

log = structlog.get_logger()


class Uplinks:
    """Keeps a link to each relay of `settings` and sends over them.

    Who inherits says what becomes of an envelope (`_taken`), hears when relays come, go or begin to
    carry (`_moved`), which one was lost (`_lost`), and knows what is `_under_way` by one. `chooser`
    stands for this node where one relay is chosen for an interest.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        role: NodeRole,
        settings: MeshSettings,
        links: Links,
        chooser: str,
    ) -> None:
        self._identity = identity
        self._role = role
        self._settings = settings
        self._links = links
        self._up: dict[str, Connection] = {}
        self._carriers = Carriers(self._up)
        self._wanted = Wanted(chooser, self._up, self._carriers)
        self._dialling = Dialling(self._keep, self._part)
        self._carried = [Traffic() for _ in Priority]
        """By the connections that are over."""
        self._drops: Counter[tuple[str, Priority]] = Counter()
        self.connects = 0
        """How often a relay has come up; all but the first of each were reconnects."""
        self.changes = 0
        """See `Mesh`."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the links until cancelled; started at once, relays come up when they are there."""
        if not self._settings.discover:
            self.set_relays(self._settings.relays)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wanted.chosen.run)
            await nursery.start(self._dialling.run)
            task_status.started()

    def set_relays(self, addresses: Iterable[str]) -> None:
        """Use the relays at `addresses` and no others from now on; those that stay are not touched.

        Raises `BadAddressError`, and changes nothing, where one is none.
        """
        self._dialling.use(addresses)

    def reconfigured(self, settings: MeshSettings) -> None:
        """See `Mesh`."""
        if not settings.discover:
            self.set_relays(settings.relays)
        self._settings = settings

    @property
    def up(self) -> dict[str, Connection]:
        """The relays that are up, by name."""
        return self._up

    @property
    def certificate(self) -> Certificate | None:
        """See `Mesh`."""
        return self._links.certificate

    @property
    def unplaced(self) -> int:
        """Interests of the hot way that no relay which is up carries: repairs alone bring them."""
        return self._wanted.chosen.unplaced

    @property
    def staying(self) -> list[str]:
        """The relays that are up and do not leave."""
        return self._carriers.staying

    @property
    def traffic(self) -> list[Traffic]:
        """What each lane has carried since the node started, over all connections."""
        found = [Traffic() for _ in Priority]
        for total, over in zip(found, self._carried, strict=True):
            total.add(over)
        for lane in (lane for each in self._up.values() for lane in each.lanes):
            found[lane.priority].add(lane.traffic)
        return found

    @property
    def drops(self) -> Counter[tuple[str, Priority]]:
        """Envelopes that were not sent or not handed on, by reason and priority."""
        found = self._drops.copy()
        for connection in self._up.values():
            for lane in connection.lanes:
                found["lane_full", lane.priority] += lane.outbox.dropped
        return found

    def carriers(self, key: str) -> list[str]:
        """See `Mesh`."""
        return self._carriers.of(key)

    async def send(self, relay: str, priority: Priority, envelope: bytes) -> None:
        """Put `envelope` on the relay's lane; waits while it is full, raises `RelayDownError`."""
        connection = self._takes(relay, envelope)
        if connection is None:
            self._drops["relay_down", priority] += 1
            raise RelayDownError(relay)
        lane = connection.lanes[priority]
        if lane.offer(envelope):
            return  # the usual case, without the cost of another coroutine
        try:
            await lane.send(envelope)
        except RelayDownError:
            self._drops["relay_down", priority] += 1
            raise RelayDownError(relay) from None

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        """Put `envelope` on the relay's lane if it is up and has room."""
        connection = self._takes(relay, envelope)
        if connection is not None and connection.lanes[priority].offer(envelope):
            return True
        self._drops["relay_down" if connection is None else "lane_full", priority] += 1
        return False

    def want(self, room: str) -> None:
        """See `Mesh`."""
        self._wanted.want(room)

    def unwant(self, room: str) -> None:
        """See `Mesh`."""
        self._wanted.unwant(room)

    def want_once(self, key: str) -> None:
        """See `Mesh`."""
        self._wanted.chosen.want(key)

    def unwant_once(self, key: str) -> None:
        """See `Mesh`."""
        self._wanted.chosen.unwant(key)

    async def confirmed(self, room: str) -> None:
        """See `Mesh`."""
        await self._wanted.confirmed(room, self._settings.confirm_timeout_s)

    async def drained(self) -> None:
        """Wait until all that was to be sent has arrived at the relays that are up."""
        while any(lane.outbox.depth for c in self._up.values() for lane in c.lanes):
            await trio.sleep(0.005)
        async with trio.open_nursery() as nursery:
            for lane in [lane for each in self._up.values() for lane in each.lanes]:
                nursery.start_soon(lane.arrived)

    def _takes(self, relay: str, envelope: bytes) -> Connection | None:
        """Return the connection to `relay` if `envelope` may go by it: one that leaves takes the
        answers to what was asked by it, and nothing else."""
        connection = self._up.get(relay)
        leaving = connection is not None and connection.leaving
        return None if leaving and envelope[KIND_AT] != Kind.REPLY else connection

    async def _keep(self, urls: LaneUrls) -> None:
        """Keep one relay connected for ever."""
        while True:
            try:
                await self._live(urls)
            except* LinkLostError as errors:
                log.warning("relay_lost", url=urls[0], reason=_first(errors))
            await trio.sleep(RECONNECT_S)

    async def _part(self, urls: LaneUrls) -> None:
        """Finish with a relay that is given up: nothing new goes by it, and what comes is taken
        for as long as others may not know yet that it is given up."""
        for connection in [each for each in self._up.values() if each.urls == urls]:
            connection.leave()
            self._carriers_changed()
            with trio.move_on_after(LINGER_S):
                await connection.parted.wait()
            await trio.sleep(LINGER_S)

    async def _live(self, urls: LaneUrls) -> None:
        limit = self._settings.lane_bytes
        outboxes = [Outbox(limit, drops_oldest=p is Priority.BULK) for p in Priority]
        connection = await connect(
            urls, self._links, self._hello, outboxes, self._wanted.announcer()
        )
        try:
            self._come_up(connection)
            await connection.run(
                self._settings,
                self._take,
                self._wanted.wake,
                self._carriers_changed,
                self._needed,
            )
        finally:
            self._go_down(connection)

    def _hello(self, lane: Priority) -> Hello:
        me = self._identity
        return Hello(me.node, self._role, me.region, me.incarnation, lane)

    def _come_up(self, connection: Connection) -> None:
        if connection.relay in self._up:
            raise LinkLostError(f"{connection.relay} is connected already, by another address")
        self._up[connection.relay] = connection
        self.connects += 1
        self._topology_changed()
        log.info("relay_up", relay=connection.relay)

    def _go_down(self, connection: Connection) -> None:
        connection.go_down()
        for lane in connection.lanes:
            self._carried[lane.priority].add(lane.traffic)
            self._drop("relay_down", lane.priority, lane.outbox.depth)
            self._drop("lane_full", lane.priority, lane.outbox.dropped)
        if self._up.get(connection.relay) is connection:
            del self._up[connection.relay]
            self._topology_changed()
            self._lost(connection.relay)
            log.info("relay_down", relay=connection.relay)

    def _drop(self, reason: str, priority: Priority, count: int) -> None:
        if count:
            self._drops[reason, priority] += count

    def _topology_changed(self) -> None:
        self.changes += 1
        self._carriers_changed()

    def _carriers_changed(self) -> None:
        self._carriers.changed()
        self._wanted.relays_changed()
        self._moved()

    def _taken(self, relay: str, envelope: Envelope) -> None:
        """Take an envelope that `relay` brought."""
        raise NotImplementedError

    def _lost(self, relay: str) -> None:
        """Note that nothing more comes by `relay`."""

    def _moved(self) -> None:
        """Note that what `carriers` returns has changed."""

    def _needed(self, relay: str) -> bool:
        """Say whether a relay that leaves has something to bring yet."""
        return self._under_way(relay) or self._wanted.chosen.brings(relay)

    def _under_way(self, relay: str) -> bool:
        """Say whether something that was asked by `relay` has no answer yet."""
        raise NotImplementedError

    def _take(self, relay: str, envelope: Envelope) -> None:
        try:
            self._taken(relay, envelope)
        except Exception as error:
            # One envelope that somebody can't digest must not cut the link for all others.
            self._drops["receive_failed", Priority.NORMAL] += 1
            log.exception("receive_failed", relay=relay, kind=envelope.kind, error=error)


def _first(errors: BaseExceptionGroup[LinkLostError]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
