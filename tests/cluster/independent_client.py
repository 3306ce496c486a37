"""A client written from docs/protocol.md alone: wsproto over trio's sockets, nothing of ours.

`Connection` is one WebSocket connection as the document describes it; `Viewer` is a whole client:
it reconnects, resumes, repeats what has no answer, and checks each stream's order as it goes.
"""

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError

SUBPROTOCOL = "relaymesh.v1.json"
PATIENCE_S = 10.0
RECONNECT = {1011, 1012, 4000, 4003, 4008, 4009, 1006}
"""Close codes with which the document permits a client to come back; 1006: it just broke."""

Frame = dict[str, Any]


class ProtocolBrokenError(AssertionError):
    """The server did what the document rules out."""


class RefusedError(Exception):
    """A request was answered with an error."""

    def __init__(self, error: Frame) -> None:
        super().__init__(error)
        self.code: str = error["code"]
        self.field: str = error.get("field", "")
        self.retry_after_ms: int = error.get("retry_after_ms", 0)


class ClosedError(Exception):
    """The connection has ended, with this close code (1006: without one)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class HandshakeRefusedError(Exception):
    """The server answered the handshake with plain HTTP."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class Connection:
    """One connection. `pushes` grows as they come; `closed` is set with `code` at the end."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.pushes: list[Frame] = []
        self.stray: list[Frame] = []
        """Replies whose `reply` is null: to frames without a readable id."""
        self.code = 1006
        self.closed = trio.Event()
        self.may_read = trio.Event()
        """Replace it to read no more; set it to go on."""
        self.may_read.set()
        self.on_push: Callable[[Frame], None] = self.pushes.append
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._replies: dict[int, Frame] = {}
        self._waiting: set[int] = set()
        self._news = trio.Condition()
        self._writing = trio.Lock()
        self._last_id = 0
        self._text = ""

    # -- opening

    async def open(self, url: str, headers: list[tuple[str, str]], subprotocols: list[str]) -> None:
        """Do the handshake; raises `HandshakeRefusedError`."""
        parts = urlsplit(url)
        request = Request(
            host=parts.netloc,
            target=parts.path,
            subprotocols=subprotocols,
            extra_headers=[(name.encode(), value.encode()) for name, value in headers],
        )
        await self.stream.send_all(self._ws.send(request))
        while True:
            self._ws.receive_data(await self.stream.receive_some() or None)
            for event in self._ws.events():
                if isinstance(event, AcceptConnection):
                    assert event.subprotocol == SUBPROTOCOL
                    return
                if isinstance(event, RejectConnection):
                    names = {key.decode().lower(): value.decode() for key, value in event.headers}
                    raise HandshakeRefusedError(event.status_code, names)
                assert isinstance(event, RejectData), event

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while await self._read_events():
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.closed.set()
            async with self._news:
                self._news.notify_all()

    async def _read_events(self) -> bool:
        for event in self._ws.events():
            if not await self._handle(event):
                return False
        async with self._news:
            self._news.notify_all()
        await self.may_read.wait()
        data = await self.stream.receive_some()
        if data:
            self._ws.receive_data(data)
        return bool(data)

    async def _handle(self, event: Event) -> bool:
        if isinstance(event, TextMessage):
            self._take_text(event)
        elif isinstance(event, Ping):
            await self.send_raw(self._ws.send(event.response()))
        elif isinstance(event, CloseConnection):
            self.code = event.code
            if self._ws.state.name == "REMOTE_CLOSING":
                await self.send_raw(self._ws.send(event.response()))
            return False
        elif not isinstance(event, Pong):
            raise ProtocolBrokenError(f"a server sends text, pings and closes, not {event}")
        return True

    def _take_text(self, event: Message) -> None:
        self._text += event.data
        if not event.message_finished:
            return
        frames, self._text = json.loads(self._text), ""
        if not isinstance(frames, list) or not frames:
            raise ProtocolBrokenError(f"not an array of frames: {frames}")
        for frame in frames:
            if ("reply" in frame) == ("push" in frame):
                raise ProtocolBrokenError(f"neither a reply nor a push: {frame}")
            if "push" in frame:
                self.on_push(frame)
            else:
                self._take_reply(frame)

    def _take_reply(self, frame: Frame) -> None:
        if ("ok" in frame) == ("error" in frame):
            raise ProtocolBrokenError(f"a reply has `ok` or `error`: {frame}")
        if frame["reply"] is None:
            self.stray.append(frame)
        elif frame["reply"] in self._replies:
            raise ProtocolBrokenError(f"answered twice: {frame}")
        else:
            self._replies[frame["reply"]] = frame

    # -- talking

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        async with self._writing:
            await self.stream.send_all(data)

    async def send_text(self, text: str) -> None:
        """Send a text message."""
        await self.send_raw(self._ws.send(TextMessage(data=text)))

    async def request(self, op: str, **fields: Any) -> Frame:
        """Send a request and return its `ok`; raises `RefusedError` or `ClosedError`.

        A field `from_` is sent as `from`.
        """
        self._last_id += 1
        fields = {name.rstrip("_"): value for name, value in fields.items()}
        frame = {"op": op, "id": self._last_id, **fields}
        return await self.exchange(json.dumps(frame), frame["id"])

    async def tell(self, op: str, **fields: Any) -> None:
        """Send a frame without waiting for an answer; after the connection's end it is lost."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError):
            await self.send_text(json.dumps({"op": op, **fields}))

    async def exchange(self, text: str, request_id: int) -> Frame:
        """Send `text` and return the `ok` that answers `request_id`."""
        try:
            await self.send_text(text)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self.closed.wait()
            raise ClosedError(self.code) from None
        return await self.answer(request_id)

    async def answer(self, request_id: int) -> Frame:
        """Wait for the answer to `request_id`."""
        await self.until(lambda: request_id in self._replies)
        frame = self._replies[request_id]
        if "error" in frame:
            raise RefusedError(frame["error"])
        ok: Frame = frame["ok"]
        return ok

    async def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until `condition`; raises `ClosedError` when the connection ends first."""
        with trio.move_on_after(patience_s):
            while not condition():
                if self.closed.is_set():
                    raise ClosedError(self.code)
                async with self._news:
                    if not condition() and not self.closed.is_set():
                        await self._news.wait()
            return
        raise AssertionError(f"it took too long; {len(self.pushes)} pushes: {self.pushes[-3:]}")

    async def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for the end and return its close code."""
        with trio.fail_after(patience_s):
            await self.closed.wait()
        return self.code

    def of(self, push: str, room: str | None = None) -> list[Frame]:
        """Return the pushes of one kind (and room) that have come."""
        return [
            frame
            for frame in self.pushes
            if frame["push"] == push and (room is None or frame["room"] == room)
        ]


@asynccontextmanager
async def connected(
    url: str,
    *headers: tuple[str, str],
    subprotocols: list[str] | None = None,
) -> AsyncIterator[Connection]:
    """A connection that has not said hello."""
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 80)
    async with stream:
        connection = Connection(stream)
        offered = [SUBPROTOCOL] if subprotocols is None else subprotocols
        await connection.open(url, list(headers), offered)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run)
            yield connection
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def greeted(url: str, token: str, *rooms: str) -> AsyncIterator[Connection]:
    """A connection that has said hello and joined `rooms`."""
    async with connected(url) as connection:
        ok = await connection.request("hello", token=token, join=[{"room": r} for r in rooms])
        for room in rooms:
            assert "error" not in ok["rooms"][room], ok
        yield connection


class Track:
    """What a client knows of one stream: its position, and all that came, in order."""

    def __init__(self) -> None:
        self.position: Frame | None = None
        self.seen: list[Frame] = []
        self.skipped: list[tuple[int, int]] = []
        self.resets: list[Frame] = []

    def take(self, push: Frame, *, resumed: bool) -> bool:
        """Take a push as the document says; returns whether it is news for the user."""
        assert self.position is not None, push
        if push["push"] == "reset":
            self.resets.append(push)
            self.position = {"epoch": push["epoch"], "seq": push["seq"]}
            return False
        self._require(push["epoch"] == self.position["epoch"], push)
        if push["push"] == "skipped":
            self._require(push["from"] <= self.position["seq"] + 1 <= push["to"] + 1, push)
            self.skipped.append((push["from"], push["to"]))
            self.position["seq"] = max(push["to"], self.position["seq"])
            return False
        if push["seq"] <= self.position["seq"]:
            self._require(resumed, push)
            return False
        self._require(push["seq"] == self.position["seq"] + 1, push)
        self.position["seq"] = push["seq"]
        self.seen.append(push)
        return True

    def _require(self, true: bool, push: Frame) -> None:
        if not true:
            raise ProtocolBrokenError(f"at {self.position} came {push}")


class Viewer:
    """A client in one room that stays there whatever happens, and sends with ids of its own."""

    def __init__(self, urls: Callable[[], Awaitable[list[str]]], token: str, room: str) -> None:
        self.room = room
        self.tracks: defaultdict[str, Track] = defaultdict(Track)
        self.connects = 0
        self.acked: dict[str, Frame] = {}
        self.likes_counted = 0
        self.likes_uncertain = 0
        """Likes without an answer, or with one that leaves it open."""
        self.directs: set[str] = set()
        self._urls = urls
        self._token = token
        self._connection: Connection | None = None
        self._joined = trio.Event()
        self._moved = trio.Condition()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay in the room until cancelled."""
        pauses = _pauses()
        while True:
            try:
                url = random.choice(await self._urls())
                async with connected(url) as connection:
                    connection.on_push = self._take
                    await self._enter(connection)
                    pauses = _pauses()
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                    await connection.closed.wait()
                    if connection.code not in RECONNECT:
                        raise ProtocolBrokenError(f"closed with {connection.code}")
            except* (OSError, ClosedError, HandshakeRefusedError):
                pass  # come back after a pause
            except* RefusedError as refused:
                if any(not error.retry_after_ms for error in _leaves(refused)):
                    raise
            finally:
                self._connection = None
                if self._joined.is_set():
                    self._joined = trio.Event()
            await trio.sleep(next(pauses))

    async def _enter(self, connection: Connection) -> None:
        since = {label: dict(track.position or {}) for label, track in self.tracks.items()}
        self._resumed = bool(since)
        spec = {"room": self.room, "since": since} if since else {"room": self.room}
        ok = await connection.request("hello", token=self._token, join=[spec])
        joined = ok["rooms"][self.room]
        if "error" in joined:
            raise RefusedError(joined["error"])
        if not since:
            for label, position in joined["streams"].items():
                self.tracks[label].position = dict(position)
        self.connects += 1
        self._connection = connection
        self._joined.set()

    def _take(self, push: Frame) -> None:
        if push["push"] == "direct":
            self.directs.add(push["mid"])
        else:
            self.tracks[push["priority"]].take(push, resumed=self._resumed)

    async def publish(self, op: str, mid: str, **fields: Any) -> Frame:
        """Send until there is an answer; returns its `ok`."""
        pauses = _pauses()
        while True:
            await self._joined.wait()
            connection = self._connection
            try:
                assert connection is not None
                ok = await connection.request(op, room=self.room, mid=mid, **fields)
            except ClosedError:
                await trio.sleep(next(pauses))
            except RefusedError as error:
                if error.code not in {"overloaded", "unavailable", "timeout", "rate_limited"}:
                    raise
                await trio.sleep(max(error.retry_after_ms / 1000, 0.1))
            else:
                self.acked[mid] = ok
                return ok

    async def like(self, count: int) -> None:
        """Like the room; never sent twice."""
        await self._joined.wait()
        assert self._connection is not None
        try:
            await self._connection.request("like", room=self.room, count=count)
        except ClosedError:
            self.likes_uncertain += count
        except RefusedError as error:
            self.likes_uncertain += 0 if error.code in {"overloaded", "rate_limited"} else count
        else:
            self.likes_counted += count

    def mids(self, priority: str) -> list[str]:
        """Return the ids of the messages that came, in order."""
        return [push["mid"] for push in self.tracks[priority].seen]


def _pauses() -> Iterator[float]:
    pause = 0.2
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(pause * 1.6, 10.0)


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[Any]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
