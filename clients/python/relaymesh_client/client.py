"""The client as an application uses it (docs/clients.md has a tour)."""

import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

from relaymesh_client.driver import Driver
from relaymesh_client.errors import Closed
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import Connected, Event, Frame, Priority
from relaymesh_client.gateway import EndpointSource
from relaymesh_client.im.events import ImPosition
from relaymesh_client.im.messenger import Messenger
from relaymesh_client.protocol import Protocol
from relaymesh_client.websocket import TokenSource

CONNECT_S = 30.0


class Published(NamedTuple):
    """A message that the room's log keeps: where it stands in its stream."""

    room: str
    priority: str
    epoch: str
    seq: int
    ts: int
    """Unix milliseconds at which the server accepted it."""
    mid: str


class Client:
    """One user's connection to the cluster, with its rooms; made by `connect`.

    Every method that waits raises `Refused` (the server's error), `Unanswered` (no answer in time:
    it may or may not have been done), `OutboxFull` or `Closed`.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._protocol = driver.protocol
        self.im = Messenger(driver)
        """Instant messages; they come where `connect` was given a device."""

    def events(self, room: str | None = None, *, capacity: int = 10_000) -> EventQueue:
        """Return an iterator over all events from now on, or over those of one `room`.

        Its queue is bounded by `capacity`; see `EventQueue` for what goes when it is full.
        """
        return self._driver.listen(lambda event: room is None or _room_of(event) == room, capacity)

    def forget(self, events: EventQueue) -> None:
        """Stop filling an iterator that `events` returned."""
        self._driver.listeners.remove(events)

    async def join(self, room: str, *, history: int = 0, timeout_s: float = 30.0) -> Frame:
        """Join `room` and stay in it over reconnects; returns what the server says of the room.

        Up to `history` (0–100) older messages of urgent and normal come first.
        """
        self._driver.require_open()
        self._driver.connecting.for_room(room)
        now = trio.current_time()
        ticket = self._protocol.join(room, now=now, history=history, give_up_s=timeout_s)
        return await self._driver.answer(ticket)

    async def leave(self, room: str) -> None:
        """Leave `room`."""
        self._driver.require_open()
        await self._driver.answer(self._protocol.leave(room, now=trio.current_time()))

    async def chat(
        self, room: str, text: str, *, mid: str = "", timeout_s: float = 60.0
    ) -> Published:
        """Say `text` in `room`; repeated over reconnects until answered, published once."""
        return await self._publish("chat", {"room": room, "text": text}, mid, timeout_s)

    async def speech(
        self, room: str, text: str, *, mid: str = "", timeout_s: float = 60.0
    ) -> Published:
        """Say `text` as a host of `room`: urgent."""
        return await self._publish("speech", {"room": room, "text": text}, mid, timeout_s)

    async def gift(
        self,
        room: str,
        gift: str,
        value: int,
        *,
        receipt: str,
        count: int = 1,
        text: str = "",
        mid: str = "",
        timeout_s: float = 60.0,
    ) -> Published:
        """Give `count` of `gift`, each worth `value`; the server decides whether it is urgent.

        `receipt` is your back end's proof that just this was paid for; it is good for one gift.
        """
        fields = {"room": room, "gift": gift, "value": value, "count": count, "text": text}
        return await self._publish("gift", fields | {"receipt": receipt}, mid, timeout_s)

    async def moderate(
        self,
        room: str,
        action: str,
        uid: str = "",
        *,
        for_s: int = 0,
        interval_s: int = 0,
        role: str = "",
        reason: str = "",
        mid: str = "",
        timeout_s: float = 60.0,
    ) -> Frame:
        """Moderate `room`; returns the server's `ok`.

        `action` is `mute`, `unmute`, `ban`, `unban`, `kick`, `grant` (`role`: `moderator` or
        `host`) or `revoke_role` of `uid`, or `slow` (one message each `interval_s` of a viewer) or
        `unslow` of the room; `for_s` is how long it lasts in seconds, 0 for good.
        """
        given: Frame = {"uid": uid, "for_s": for_s, "interval_s": interval_s, "role": role}
        fields = {name: value for name, value in (given | {"reason": reason}).items() if value}
        return await self._say(
            "moderate", {"room": room, "action": action, **fields}, mid, timeout_s
        )

    def like(self, room: str, count: int = 1) -> None:
        """Like `room`; likes are merged and sent within 200 ms, and never counted twice."""
        self._driver.require_open()
        self._protocol.like(room, count, now=trio.current_time())
        self._driver.flush()

    async def likes_confirmed(self, room: str) -> None:
        """Wait until no like of `room` is on its way any more."""
        while self._protocol.unconfirmed_likes(room) and self._driver.closed is None:
            await trio.sleep(0.02)

    async def fetch(
        self, room: str, priority: Priority, epoch: str, first: int, last: int
    ) -> Frame:
        """Return messages `first`..`last` of a stream, at most 200, as far as the log has them."""
        fields = {"room": room, "priority": priority, "epoch": epoch, "from": first, "to": last}
        return await self._request("fetch", fields)

    async def ping(self) -> float:
        """Return the seconds that a `ping` to the access node and back took."""
        began = trio.current_time()
        await self._request("ping", {})
        return trio.current_time() - began

    @property
    def session(self) -> Connected:
        """The user's id and the node of the connection that is (or was last) open."""
        assert self._protocol.session is not None, "`connect` waits for the first session"
        return self._protocol.session

    @property
    def uncertain_likes(self) -> int:
        """Likes that were sent and may or may not have been counted: a connection broke."""
        return self._protocol.uncertain_likes

    async def _publish(self, op: str, fields: Frame, mid: str, timeout_s: float) -> Published:
        ok = await self._say(op, fields, mid, timeout_s)
        return Published(*(ok[name] for name in Published._fields))

    async def _say(self, op: str, fields: Frame, mid: str, timeout_s: float) -> Frame:
        self._driver.require_open()
        fields = {**fields, "mid": mid} if mid else fields
        now = trio.current_time()
        return await self._driver.answer(
            self._protocol.publish(op, fields, now=now, give_up_s=timeout_s)
        )

    async def _request(self, op: str, fields: Frame) -> Frame:
        self._driver.require_open()
        now = trio.current_time()
        return await self._driver.answer(self._protocol.request(op, fields, now=now))


@asynccontextmanager
async def connect(
    source: EndpointSource,
    token: TokenSource,
    *,
    rooms: Sequence[str] = (),
    device: str = "",
    position: ImPosition | None = None,
    manual_ack: bool = False,
    connect_timeout_s: float = CONNECT_S,
    seed: random.Random | None = None,
) -> AsyncIterator[Client]:
    """Connect, hold the connection (again and again) inside the block, close it at the end.

    `source` says where (`gateway(url)` or `fixed(*urls)`), `token` who (a token, or a function that
    gives a fresh one for each connection). `rooms` are joined with `hello`. `seed` decides the
    jitter and the ids of messages. Raises `Closed` when the cluster refuses the client, or can't be
    reached in `connect_timeout_s`.

    `device` (`[A-Za-z0-9_-]{1,64}`) turns instant messages on: choose one for each installation,
    and keep it. `position` is where an earlier client was (`client.im.position`). A message is
    acknowledged when it was put into a queue of events, or with `manual_ack` by `client.im.ack`.
    """
    chance = seed or random.SystemRandom()
    protocol = Protocol(chance, device=device, position=position)
    driver = Driver(protocol, source, token, chance, manual_ack=manual_ack)
    for room in rooms:
        driver.connecting.for_room(room)
        protocol.join(room, now=trio.current_time(), give_up_s=math.inf)
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        try:
            await _connected(driver, connect_timeout_s)
            yield Client(driver)
        except Exception as error:
            # Raised outside of the nursery: the application should not see an exception group.
            problem = error
        finally:
            driver.end(Closed("the client is closed", 1000))
            await driver.say_goodbye()
            nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def _connected(driver: Driver, timeout_s: float) -> None:
    with trio.move_on_after(timeout_s):
        await driver.connected.wait()
    if driver.closed is not None:
        raise driver.closed
    if not driver.connected.is_set():
        reason = driver.connecting.last_failure or "no answer"
        raise Closed(f"not connected within {timeout_s:g} s: {reason}")


def _room_of(event: Event) -> str:
    return getattr(event, "room", "")
