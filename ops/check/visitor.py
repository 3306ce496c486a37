"""A real client in the room, with all that it heard."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from ops.check.report import CheckFailedError
from relaymesh_client import (
    Client,
    Closed,
    Direct,
    Event,
    EventQueue,
    Joined,
    Lost,
    Push,
    connect,
    fixed,
)

T = TypeVar("T")
WAIT_S = 8.0
CONNECT_S = 8.0


class Visitor:
    """A client on one node: what it was told, and when each message arrived."""

    def __init__(self, name: str, node: str, url: str, token: str, client: Client) -> None:
        self.name = name
        self.node = node
        self.url = url
        self.token = token
        self.client = client
        self.joined: Joined | None = None
        self.pushes: list[Push] = []
        self.directs: list[Direct] = []
        self.lost: list[Lost] = []
        self.arrived: dict[str, float] = {}
        """Message id to the clock's seconds (`trio.current_time`) at which it came."""
        self.bulk_ages_ms: list[float] = []
        """How old each bulk message was when it came, by the clocks of both machines."""
        self._changed = trio.Event()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the frames of one kind of push, in the order they came."""
        return [push.frame for push in self.pushes if push.kind == kind]

    async def message(self, mid: str) -> Push:
        """Return the push of message `mid` as soon as it is here."""
        return await self.until(
            lambda: next((push for push in self.pushes if push.frame.get("mid") == mid), None),
            f"{self.name} on {self.node} did not get message {mid}",
        )

    async def until(self, look: Callable[[], T | None], otherwise: str) -> T:
        """Return what `look` finds, looking after each event; raises `CheckFailedError`."""
        with trio.move_on_after(WAIT_S):
            while (found := look()) is None:
                await self._changed.wait()
            return found
        raise CheckFailedError(f"{otherwise} within {WAIT_S:g} s")

    async def joining(self) -> Joined:
        """Return what the room was like when this visitor joined it."""
        return await self.until(lambda: self.joined, f"{self.name} was not told that it joined")

    async def sees(self, kind: str, field: str, value: object) -> None:
        """Wait until the newest push of `kind` says `value` in `field`."""

        def newest() -> bool | None:
            return [frame[field] for frame in self.of(kind)][-1:] == [value] or None

        try:
            await self.until(newest, f"{self.name} on {self.node} was not shown {field} {value}")
        except CheckFailedError as error:
            shown = [frame[field] for frame in self.of(kind)]
            raise CheckFailedError(f"{error}, but {shown}") from None

    def hear(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Push):
            self._hear_push(event)
        elif isinstance(event, Direct):
            self.directs.append(event)
        elif isinstance(event, Joined):
            self.joined = event
        elif isinstance(event, Lost):
            self.lost.append(event)
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _hear_push(self, push: Push) -> None:
        self.pushes.append(push)
        if "mid" in push.frame:
            self.arrived.setdefault(push.frame["mid"], trio.current_time())
        elif "ts" in push.frame:
            self.bulk_ages_ms.append(max(0.0, time.time() * 1000 - push.frame["ts"]))


@asynccontextmanager
async def visitor(
    name: str, node: str, url: str, token: str, room: str, *, history: int = 0
) -> AsyncIterator[Visitor]:
    """Join `room` on `node`; raises `Closed` or `Refused` when that does not work."""
    async with connect(fixed(url), token, connect_timeout_s=CONNECT_S) as client:
        each = Visitor(name, node, url, token, client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, each, client.events())
            await client.join(room, history=history, timeout_s=WAIT_S)
            yield each
            nursery.cancel_scope.cancel()


async def _listen(each: Visitor, events: EventQueue) -> None:
    try:
        while True:
            each.hear(await events.get())
    except Closed:
        return
