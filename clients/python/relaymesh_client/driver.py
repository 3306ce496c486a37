"""The thin shell: runs a `Protocol` over WebSockets, one after the other, on trio."""

from typing import Any

import trio
import trio_websocket as tws

from relaymesh_client import catalogue
from relaymesh_client.answers import Answers
from relaymesh_client.backoff import Backoff, Random
from relaymesh_client.bell import Bell
from relaymesh_client.connecting import Connecting
from relaymesh_client.errors import Closed
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import Frame
from relaymesh_client.following import Follower
from relaymesh_client.gateway import EndpointSource
from relaymesh_client.lines import Line, Way
from relaymesh_client.listeners import Listeners, Wants
from relaymesh_client.protocol import Protocol
from relaymesh_client.renewing import Renewer
from relaymesh_client.websocket import GOODBYE_S, TokenSource

MOVED_ON = 1000
"""How a connection is closed that another has taken the place of."""
SETTLED_S = 5.0
"""A connection that held this long starts the delays between attempts anew."""


class Driver:
    """Connects, reads, writes, keeps time and comes back, until it is told to end or may not."""

    def __init__(
        self,
        protocol: Protocol,
        source: EndpointSource,
        token: TokenSource,
        random: Random,
        *,
        manual_ack: bool = False,
    ) -> None:
        self.protocol = protocol
        self.listeners = Listeners(self.flush)
        self.connected = trio.Event()
        """`hello` was accepted once, or the client is closed for good."""
        self.closed: Closed | None = None
        self.connecting = Connecting(source, token, random)
        self._manual_ack = manual_ack
        self._backoff = Backoff(random)
        self._answers = Answers(self.flush)
        self._to_write = Bell()
        self._to_time = Bell()
        self._connection: Any = None
        self._follower = Follower(protocol, token, self._dial)
        self._renewer = Renewer(protocol, token, self.flush)
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Keep a connection until one ends for good; then `closed` says why."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._keep_time)
            while True:
                way = self._follower.take() or await self.connecting.open(self._nursery)
                problem = await self._hold(way) if isinstance(way, Way) else way
                if problem is not None:
                    break
                if not self._follower.arrived:
                    await trio.sleep(self._backoff.next_s())
            self.end(problem)
            self._nursery.cancel_scope.cancel()

    def end(self, problem: Closed) -> None:
        """Close for good: open requests end with `problem`, event queues after their last."""
        if self.closed is None:
            self.closed = problem
            self.protocol.end(problem)
            self.flush()
            self.listeners.end(problem)
            self.connected.set()

    def require_open(self) -> None:
        """Raise `Closed` where the client is closed for good."""
        if self.closed is not None:
            raise self.closed

    def listen(self, wants: Wants, capacity: int) -> EventQueue:
        """Return a queue of the events from now on that `wants` agrees with."""
        return self.listeners.add(wants, capacity)

    def flush(self) -> None:
        """Hand on what the protocol has put out: events, answers, messages."""
        protocol = self.protocol
        events, protocol.events = protocol.events, []
        for event in events:
            self.listeners.put(event)
        if self.listeners.have_room and not self._manual_ack:
            protocol.im.take_all(trio.current_time())
        answers, protocol.answers = protocol.answers, []
        if answers:
            self._answers.put(answers)
        if protocol.ready:
            self.connected.set()
        if protocol.order is not None:
            self._follower.told.ring()
        if protocol.token_ends:
            self._renewer.told.ring()
        self._to_write.ring()
        self._to_time.ring()

    async def say_goodbye(self) -> None:
        """Close the present connection as the protocol wants it, within `GOODBYE_S`."""
        if self._connection is not None:
            with trio.move_on_after(GOODBYE_S, shield=True):
                await self._connection.aclose(1000)

    async def answer(self, ticket: int) -> Frame:
        """Return the `ok` of request `ticket`; raises what it ended with instead.

        Call it without a checkpoint after the protocol gave the ticket out.
        """
        return await self._answers.of(ticket)

    async def _keep_time(self) -> None:
        while True:
            at = self.protocol.next_tick()
            with trio.move_on_at(at if at is not None else float("inf")):
                await self._to_time.wait()
            due = self.protocol.next_tick()
            if due is not None and due <= trio.current_time():
                self.protocol.tick(trio.current_time())
                self.flush()

    async def _dial(self, url: str) -> Line | Closed | None:
        return await self.connecting.dial(self._nursery, url)

    async def _hold(self, way: Way) -> Closed | None:
        """Use an open connection until it ends, or another takes its place (`_follower`)."""
        line = way.line
        try:
            await self._talk(way)
        finally:
            line.let_go.set()
        self.connecting.failed(line.url)
        if self._follower.arrived:
            reason = tws.CloseReason(MOVED_ON, "moved")
            return self._ended(reason, way.token, may_return=True)
        await line.gone.wait()
        return self._ended(line.connection.closed, way.token)

    async def _talk(self, way: Way) -> None:
        began = trio.current_time()
        self._connection = connection = way.line.connection
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, connection)
            nursery.start_soon(self._follower.run, nursery.cancel_scope)
            nursery.start_soon(self._renewer.run, way.token)
            self.protocol.opened(way.token, now=began, followed=way.followed)
            self.flush()
            await self._read(connection)
            if catalogue.may_reconnect(_code_of(connection)):
                # Ended while the next is being opened: that is nearer than asking the gateway.
                await self._follower.settled()
            nursery.cancel_scope.cancel()
        self._connection = None
        if trio.current_time() - began > SETTLED_S:
            self._backoff.settle()

    def _ended(self, reason: Any, token: str, *, may_return: bool = False) -> Closed | None:
        """Tell the protocol how the connection ended; returns why there should be no other.

        `may_return`: whatever its code is.
        """
        code = reason.code if reason and not self.protocol.must_drop else None
        code = None if code == 1006 else code
        text = (reason.reason if reason else None) or ""
        if code == catalogue.TOKEN_EXPIRED and self.connecting.token_expired(token):
            may_return = True
        else:
            may_return = may_return or catalogue.may_reconnect(code)
        self.protocol.closed(code, text, now=trio.current_time(), reconnecting=may_return)
        self.flush()
        if may_return:
            return None
        why = self.protocol.hello_error or text
        return Closed(f"closed with {code}" + (f": {why}" if why else ""), code)

    async def _read(self, connection: Any) -> None:
        while True:
            try:
                message = await connection.get_message()
            except tws.ConnectionClosed:
                return
            if isinstance(message, str):
                self.protocol.received(message, now=trio.current_time())
                self.flush()

    async def _write(self, connection: Any) -> None:
        while True:
            await self._to_write.wait()
            messages, self.protocol.outgoing = self.protocol.outgoing, []
            try:
                for message in messages:
                    await connection.send_message(message)
                if self.protocol.must_drop:
                    # A dead peer answers no close: then the socket is closed without it.
                    with trio.move_on_after(GOODBYE_S):
                        await connection.aclose(1000, "silent")
                    return
            except tws.ConnectionClosed:
                return


def _code_of(connection: Any) -> int | None:
    return connection.closed.code if connection.closed else None
