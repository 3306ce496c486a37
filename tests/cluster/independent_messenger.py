"""A client of instant messages written from docs/protocol.md alone.

`Device` is a phone or a laptop of one user: it outlives its connections, keeps its positions,
acknowledges, fetches what it missed, and checks all that comes against the document.
"""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import trio

from tests.cluster.independent_client import (
    PATIENCE_S,
    Connection,
    Frame,
    ProtocolBrokenError,
    RefusedError,
    connected,
)

MAILBOX = "mailbox"
ACK_EVERY_S = 0.05
REPEATED = {"overloaded", "unavailable", "timeout", "rate_limited"}
"""Errors after which the document says: repeat as it is."""
ID = re.compile("[0-9a-f]{20}")
_mids = count(1)


class Device:
    """One device of a user. `online` connects it, one time after the other, to whichever node."""

    def __init__(self, uid: str, token: str, name: str = "phone", page: int = 200) -> None:
        self.uid = uid
        self.token = token
        self.name = name
        self.page = page
        """Messages of one `sync`."""
        self.epoch = ""
        self.positions: dict[str, int] = {}
        """By stream: the last `n` that was taken."""
        self.cooled: set[str] = set()
        """Hot streams that have ended with `cool`: first the mailbox goes on."""
        self.taken: defaultdict[str, list[Frame]] = defaultdict(list)
        """By conversation: its messages as the application sees them."""
        self.duplicates = 0
        self.synced: list[int] = []
        """How many messages each page of `sync` had."""
        self.signals: list[Frame] = []
        self.welcome: Frame = {}
        """`ok.im` of the last `hello`."""
        self.acknowledges = True
        self._to_acknowledge: set[str] = set()
        self._moved = trio.Condition()

    # -- connecting

    @asynccontextmanager
    async def online(self, url: str) -> AsyncIterator[Connection]:
        """A connection of this device; what comes on it is taken until the block ends."""
        async with connected(url) as connection, trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[Frame](10_000)
            connection.on_push = send.send_nowait
            spec = self._where_it_stands()
            ok = await connection.request("hello", token=self.token, client="indie/1", im=spec)
            if "error" in ok["im"]:
                raise RefusedError(ok["im"]["error"])
            self.welcome = ok["im"]
            nursery.start_soon(self._work, connection, receive, bool(self.positions))
            nursery.start_soon(self._acknowledge, connection)
            yield connection
            nursery.cancel_scope.cancel()

    def _where_it_stands(self) -> Frame:
        if not self.epoch:
            return {"device": self.name}
        hot = {stream[4:]: n for stream, n in self.positions.items() if stream != MAILBOX}
        since = self.positions[MAILBOX]
        return {"device": self.name, "epoch": self.epoch, "since": since, "hot": hot}

    async def _work(
        self, connection: Connection, pushes: trio.MemoryReceiveChannel[Frame], knew: bool
    ) -> None:
        welcome = self.welcome
        _require(welcome["start"] <= welcome["head"], welcome)
        self.epoch = welcome["epoch"]
        if welcome["standing"] == "reset":
            self.positions.clear()
        if not knew or welcome["standing"] != "behind":
            self.positions[MAILBOX] = welcome["start"]
        else:
            await self._catch_up(connection, MAILBOX, welcome["start"])
        for conv, where in welcome["hot"].items():
            if f"hot:{conv}" in self.positions:
                await self._catch_up(connection, f"hot:{conv}", where["start"])
        async for push in pushes:
            await self._take(connection, push)

    # -- taking

    async def _take(self, connection: Connection, push: Frame) -> None:
        if push["push"] != "message":
            self.signals.append(push)
        elif push["n"] <= self.positions.get(push["stream"], -1):
            self.duplicates += 1
            self._to_acknowledge.add(push["stream"])
        else:
            stream, n = push["stream"], push["n"]
            if stream == MAILBOX:
                _require(n == self.positions[MAILBOX] + 1, (push, self.positions))
            else:
                _require(stream == f"hot:{push['conv']}" and n == push["seq"], push)
            await self._take_message(connection, push, paged=False)
        async with self._moved:
            self._moved.notify_all()

    async def _take_message(self, connection: Connection, frame: Frame, *, paged: bool) -> None:
        self.positions[frame["stream"]] = frame["n"]
        self._to_acknowledge.add(frame["stream"])
        seen = self.taken[frame["conv"]]
        _require(not seen or seen[-1]["seq"] < frame["seq"], (seen[-1:], frame))
        seen.append(frame)
        hot = _begins_hot_stream(frame)
        if frame["stream"] != MAILBOX:
            self.cooled |= {frame["stream"]} if frame["kind"] == "cool" else set()
        elif hot is not None:
            await self._turn_to_hot_stream(connection, *hot, paged=paged)

    async def _turn_to_hot_stream(
        self, connection: Connection, conv: str, after: int, *, paged: bool
    ) -> None:
        stream = f"hot:{conv}"
        self.cooled.discard(stream)
        start = self.welcome["hot"].get(conv, {"start": 0})["start"]
        if paged or start > after:
            self.positions[stream] = max(after, self.positions.get(stream, 0))
            await self._catch_up(connection, stream, None if paged else start)

    async def _catch_up(self, connection: Connection, stream: str, upto: int | None) -> None:
        """Ask for pages of `stream` up to a number, or (None) until there is no more or `cool`."""
        while stream not in self.cooled and (upto is None or self.positions[stream] < upto):
            since = self.positions[stream]
            try:
                page = await connection.request("sync", stream=stream, since=since, limit=self.page)
            except RefusedError:
                if stream == MAILBOX:
                    raise
                return
            _require(page["stream"] == stream and page["epoch"] == self.epoch, page)
            await self._take_page(connection, page, since)
            if len(page["frames"]) < self.page and stream not in self.cooled:
                self.positions[stream] = max(self.positions[stream], page["head"])
            if not page["frames"]:
                return

    async def _take_page(self, connection: Connection, page: Frame, since: int) -> None:
        self.synced.append(len(page["frames"]))
        for frame in page["frames"]:
            _require(frame["stream"] == page["stream"] and frame["n"] > since, frame)
            since = frame["n"]
            await self._take_message(connection, frame, paged=True)
            if page["stream"] in self.cooled:
                break
        async with self._moved:
            self._moved.notify_all()

    async def _acknowledge(self, connection: Connection) -> None:
        """Say what was taken, gathered."""
        while True:
            await trio.sleep(ACK_EVERY_S)
            streams, self._to_acknowledge = self._to_acknowledge, set()
            for stream in streams if self.acknowledges else ():
                await acknowledge(connection, stream, self.positions[stream])

    # -- what tests wait for

    async def until_taken(self, conv: str, seq: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until the conversation's message `seq` was taken."""
        with trio.move_on_after(patience_s):
            async with self._moved:
                while not (self.taken[conv] and self.taken[conv][-1]["seq"] >= seq):
                    await self._moved.wait()
            return
        raise AssertionError(f"{self.uid} has of {conv} {self.seqs(conv)}, not {seq}")

    async def until_kind(self, conv: str, kind: str, times: int) -> None:
        """Wait until messages of a kind were taken so many times."""
        with trio.fail_after(PATIENCE_S):
            async with self._moved:
                while [frame["kind"] for frame in self.taken[conv]].count(kind) < times:
                    await self._moved.wait()

    async def until_told(self, push: str, **fields: Any) -> Frame:
        """Wait for a signal with these fields."""
        wanted = {"push": push, **fields}
        with trio.fail_after(PATIENCE_S):
            async with self._moved:
                while True:
                    for signal in self.signals:
                        if signal | wanted == signal:
                            return signal
                    await self._moved.wait()

    def seqs(self, conv: str) -> list[int]:
        """Return the numbers of what was taken."""
        return [frame["seq"] for frame in self.taken[conv]]

    def texts(self, conv: str) -> list[str]:
        """Return what was said, in order."""
        return [f["body"].get("text", "") for f in self.taken[conv] if f["kind"] == "message"]


def _begins_hot_stream(frame: Frame) -> tuple[str, int] | None:
    """Return the group whose hot stream begins with this mailbox message, and after which seq."""
    if frame["kind"] == "hot":
        return frame["conv"], frame["seq"]
    body = frame["body"]
    if frame["kind"] == "group_joined" and frame["conv"].startswith("s:") and body["hot"]:
        return body["conv"], body["joined"] - 1
    return None


async def say(connection: Connection, conv: str, text: str, mid: str = "", **more: Any) -> Frame:
    """Send until it is answered; returns the `ok`."""
    mid = mid or f"m{next(_mids)}"
    while True:
        try:
            ok = await connection.request("send", conv=conv, text=text, mid=mid, **more)
        except RefusedError as error:
            if error.code not in REPEATED:
                raise
            await trio.sleep(max(error.retry_after_ms / 1000, 0.1))
        else:
            _require((ok["conv"], ok["mid"]) == (conv, mid), ok)
            return ok


async def acknowledge(connection: Connection, stream: str, n: Any, **more: Any) -> None:
    """Send an `ack`, which has no answer."""
    await connection.tell("ack", stream=stream, n=n, **more)


def direct(uid: str, other: str) -> str:
    """Return the id of the chat of two."""
    return "d:" + "|".join(sorted([uid, other]))


def _require(true: object, what: Any) -> None:
    if not true:
        raise ProtocolBrokenError(what)
