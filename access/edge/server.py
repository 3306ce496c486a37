"""The edge on real sockets: puts the parts together, starts them, and drains them."""

import random
from collections.abc import Callable, Iterable
from socket import socket
from typing import cast

import trio

from access.edge.channel import Channel, OpenChannel, plain
from access.edge.client import Client
from access.edge.counters import EdgeCounters
from access.edge.fanout import FanOut, Observe, observe_nothing
from access.edge.interface import Audience, Batch, EncodeSkipped, Handler
from access.edge.opening.accepting import accept_loop, readable, refuse_the_last
from access.edge.opening.addresses import Addresses, host_of
from access.edge.opening.admission import Pace, Places
from access.edge.opening.handshake import Accepted, RefusedError
from access.edge.opening.opening import Opening
from access.edge.opening.refusing import Refusals, Waiting, turn_away
from access.edge.poller import BestPoller, Poller
from access.edge.reactor import Reactor
from access.edge.sections import SectionedAudience
from access.edge.session_layer import SessionLayer
from access.edge.settings import EdgeSettings
from access.edge.transmitter import Transmitter
from access.edge.writing.choice import choose
from proto.close_codes import CloseCode
from proto.priorities import Priority

DRAIN_LOOK_S = 0.05
DRAIN_STEPS = 20
STUCK_LOOK_S = 0.5


class Server:
    """An `interface.Edge`. Make it inside trio, `serve` it, `drain` it, cancel it.

    `handler` is the session layer; `encode_skipped` makes the push that tells a slow client what
    was thinned; `observe` takes each round's priority and duration in seconds; `open_channel` is
    where TLS comes in. Raises `WritePathUnavailableError` if the configured write path does not
    work here.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        handler: Handler,
        encode_skipped: EncodeSkipped,
        *,
        observe: Observe = observe_nothing,
        open_channel: OpenChannel = plain,
        poller: Poller | None = None,
        clock: Callable[[], float] = trio.current_time,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.counters = EdgeCounters()
        self.encode_skipped = encode_skipped
        self.reactor = Reactor(settings, poller or BestPoller(), clock)
        self.write_path, self.write_path_reason = choose(
            settings.write_path, settings.max_frame_bytes
        )
        self.fanout = FanOut(self.write_path, settings.chunk, self.counters, clock, observe)
        self.clients: set[Client] = set()
        self.openings: set[Waiting] = set()
        self.places = Places(settings.max_opening)
        self.addresses = Addresses(settings.address)
        self.paces: list[Pace] = []
        """One for each listener."""
        self.stalled: set[Transmitter] = set()
        self.clock = clock
        self._sessions = SessionLayer(handler, self.counters)
        self._open_channel = open_channel
        self._rng = rng or random.Random()
        self._refusals = Refusals(settings.retry_spread_s, self._rng)
        self._draining = False
        self._accepting = trio.CancelScope()
        self._last_id = 0

    def reconfigured(self, settings: EdgeSettings) -> None:
        """Have other limits from now on. What a connection or a handshake has taken over when it
        began (the size of its messages, its time) stays with it."""
        self.settings = settings
        self.places.most = settings.max_opening
        self.addresses.reconfigured(settings.address)
        self._refusals = Refusals(settings.retry_spread_s, self._rng)
        for pace in self.paces:
            pace.turn_s, pace.wait_s = settings.turn_s, settings.opening_wait_s

    # -- what the session layer calls

    def audience(self) -> Audience:
        """See `interface.Edge`."""
        return SectionedAudience(self.settings.deflate_from_bytes)

    def broadcast(self, audience: Audience, batch: Batch) -> None:
        """See `interface.Edge`."""
        for section, part, frame in cast("SectionedAudience", audience).rounds(batch):
            self.fanout.hand_over(section, part, frame)

    @property
    def queued_bytes(self) -> int:
        """Return how many bytes wait for slow clients, all together."""
        return sum(client.queued_bytes for client in self.stalled)

    # -- life

    async def serve(
        self,
        listeners: Iterable[socket],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; the listeners (see `listening.listen`) are closed at the end."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.reactor.run)
                nursery.start_soon(self.fanout.run)
                nursery.start_soon(self._sessions.run)
                nursery.start_soon(self._end_stuck)
                task_status.started()
                await self._accept(list(listeners))
        finally:
            self._cut_all()
            self._sessions.tell_gone()
            self.reactor.shut()
            self.write_path.close()

    def refuse(self) -> None:
        """Take no more clients."""
        self._draining = True
        self._accepting.cancel()

    async def drain(
        self,
        within_s: float,
        code: int = CloseCode.RESTARTING,
        reason: str = "restarting; resume elsewhere",
    ) -> None:
        """Take no more clients and close all in random order, spread over half of `within_s`.

        Whoever has not gone by then is cut.
        """
        self.refuse()
        with trio.move_on_after(within_s):
            await self._close_all(within_s / 2, code, reason)
            while self.clients:
                await trio.sleep(DRAIN_LOOK_S)
        self._cut_all()

    async def _accept(self, listeners: list[socket]) -> None:
        try:
            with self._accepting:
                async with trio.open_nursery() as nursery:
                    for listener in listeners:
                        pace = Pace(self.settings.turn_s, self.settings.opening_wait_s)
                        self.paces.append(pace)
                        nursery.start_soon(accept_loop, listener, self, pace)
        finally:
            for listener in listeners:
                if self._draining:
                    refuse_the_last(listener, self)
                listener.close()

    async def _close_all(self, spread_s: float, code: int, reason: str) -> None:
        clients = sorted(self.clients, key=lambda client: client.id)
        self._rng.shuffle(clients)
        step = max(1, -(-len(clients) // DRAIN_STEPS))
        for start in range(0, len(clients), step):
            for client in clients[start : start + step]:
                client.close(code, reason)
            await trio.sleep(spread_s / DRAIN_STEPS)

    def _cut_all(self) -> None:
        for opening in list(self.openings):
            opening.cut()
        for client in list(self.clients):
            client.cut()

    # -- what the accept loops call

    def shut(self) -> bool:
        """See `accepting.Door`."""
        return self._draining or len(self.clients) >= self.settings.max_connections

    def busy(self) -> bool:
        """See `accepting.Door`."""
        return any(self.fanout.waiting(priority) for priority in Priority)

    def free(self) -> int:
        """See `accepting.Door`."""
        if not self.reactor.behind:
            self.places.expire(self.clock())
        return self.places.free

    def take(self, sock: socket, address: str) -> None:
        """See `accepting.Door`."""
        refused = self.addresses.enter(host_of(address), self.clock())
        if refused is not None:
            self.counters.handshake_errors[refused.reason] += 1
            answer = self._refusals.to_address(refused).answer
            turn_away(self._open_channel(sock), self, answer)
            return
        self.places.enter(
            Opening(self._open_channel(sock), address, self, self._opened), self.clock()
        )

    def turn_away(self, sock: socket, address: str) -> None:  # noqa: ARG002
        """See `accepting.Door`."""
        self.counters.handshake_errors[self._why()] += 1
        turn_away(self._open_channel(sock), self, self._refusals.draw())

    def _why(self) -> str:
        if self._draining:
            return "draining"
        return "full" if self.shut() else "overloaded"

    # -- what openings and clients call

    def refuse_all(self) -> RefusedError | None:
        """See `opening.Host`: those in their handshakes may have filled the node meanwhile."""
        return self._refusals.error(self._why()) if self.shut() else None

    def identified(self, address: str, accepted: Accepted) -> str:
        """See `opening.Host`: behind a proxy that is trusted the address is known only now."""
        peer = host_of(address)
        client = self.addresses.client_of(peer, accepted.forwarded)
        if client == peer:
            return address
        refused = self.addresses.enter(client, self.clock())
        if refused is not None:
            raise self._refusals.to_address(refused)
        return readable(client, 0)

    def not_opened(self, address: str, *, failed: bool) -> None:
        """See `opening.Host`."""
        host = host_of(address)
        self.addresses.leave(host)
        if failed:
            self.addresses.failed(host, self.clock())

    def blamed(self, client: Client) -> None:
        """See `client.ClientHost`."""
        self.addresses.failed(host_of(client.address), self.clock())

    def current_batch(self) -> Batch:
        """See `transmitter.TransmitterHost`."""
        assert self.fanout.current is not None
        return self.fanout.current

    def admitted(self, client: Client) -> None:
        """See `client.ClientHost`."""
        self.places.leave(client)

    def deliver(self, client: Client, text: bytes) -> None:
        """See `client.ClientHost`."""
        self._sessions.received(client, text)

    def deliver_binary(self, client: Client, payload: bytes) -> None:  # noqa: ARG002
        """See `client.ClientHost`: this protocol is text."""
        client.close(CloseCode.NOT_TEXT, "this protocol is text")

    def gone(self, client: Client, code: int) -> None:
        """See `client.ClientHost`."""
        self.clients.discard(client)
        self.places.leave(client)
        self.addresses.leave(host_of(client.address))
        self.counters.closes[code] += 1
        self._sessions.gone(client, code)

    def _opened(self, channel: Channel, address: str, accepted: Accepted) -> None:
        self._last_id += 1
        client = Client(self._last_id, address, channel, self, accepted.deflate_bits)
        self.clients.add(client)
        self.places.enter(client, self.clock())
        self.reactor.pass_on(channel, client)
        self.counters.opened += 1
        self.counters.opened_deflating += accepted.deflate_bits > 0
        self._sessions.opened(client)
        if accepted.trailing:
            client.read(accepted.trailing)

    async def _end_stuck(self) -> None:
        while True:
            await trio.sleep(STUCK_LOOK_S)
            for client in list(self.stalled):
                client.end_if_stuck(self.clock())
