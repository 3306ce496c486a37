"""A small cluster in one task: the protocol of docs/protocol.md, and faults on demand.

Nodes are listeners on ports of their own that share the rooms. It knows the client's side of the
protocol only; the real cluster is tested elsewhere.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
import trio_websocket as tws
from fake_messages import FakeMessages

Frame = dict[str, Any]
PRIORITY = {"chat": "normal", "speech": "urgent", "gift": "normal"}


class FakeRoom:
    """A room with its logs and the connections that are in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.epoch = "e1"
        self.log: dict[str, list[Frame]] = {"urgent": [], "normal": [], "bulk": []}
        self.first_kept = 1
        self.answers: dict[str, Frame] = {}
        self.likes = 0
        self.members: list[Connection] = []

    def head(self, priority: str) -> int:
        return len(self.log[priority])

    def append(self, kind: str, priority: str, fields: Frame) -> Frame:
        frame = {"epoch": self.epoch, "seq": self.head(priority) + 1, "push": kind}
        frame |= {"room": self.name, "priority": priority, **fields}
        self.log[priority].append(frame)
        return frame

    def start_anew(self) -> None:
        self.epoch += "'"
        for log in self.log.values():
            log.clear()


class Connection:
    """A client's connection to one fake node."""

    def __init__(self, ws: Any, node: str) -> None:
        self.ws = ws
        self.node = node
        self.uid = ""
        self.device = ""
        self.lose = 0
        """So many pushes are lost from now on."""

    async def send(self, *frames: Frame) -> None:
        try:
            await self.ws.send_message(json.dumps(frames))
        except tws.ConnectionClosed:
            pass

    async def push(self, frame: Frame) -> None:
        if self.lose:
            self.lose -= 1
        else:
            await self.send(frame)


class FakeCluster:
    """`urls` are the nodes; `requests` is all that clients sent, in order."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.rooms: dict[str, FakeRoom] = {}
        self.messages = FakeMessages()
        self.connections: list[Connection] = []
        self.requests: list[Frame] = []
        self.swallow: Callable[[Frame], bool] = lambda _: False
        """Requests that are done but never answered."""
        self.refuse: Callable[[Frame], Frame | None] = lambda _: None
        """The error that a request gets instead of being done."""
        self.retry_after_s: dict[str, list[int]] = {}
        """By node: what the next handshakes are refused with."""
        self.heartbeat_ms = 25_000
        self.bad_tokens: dict[str, int] = {}
        """Token to the code that `hello` with it is closed with."""

    def room(self, name: str) -> FakeRoom:
        return self.rooms.setdefault(name, FakeRoom(name))

    async def serve(self, node: str, task_status: Any) -> None:
        handler = partial(self._accept, node)
        async with trio.open_nursery() as nursery:
            server = await nursery.start(
                partial(tws.serve_websocket, handler, "127.0.0.1", 0, None)
            )
            self.urls.append(f"ws://127.0.0.1:{server.port}/v1")
            task_status.started()

    async def close_all(self, code: int) -> None:
        for connection in list(self.connections):
            await connection.ws.aclose(code)

    async def warn_all(self) -> None:
        """Tell all that their tokens near their end."""
        for connection in list(self.connections):
            await connection.send({"push": "expiring", "expires_ms": 1})

    async def publish(self, name: str, kind: str, /, **fields: Any) -> Frame:
        """Publish as somebody else would, to all members."""
        room = self.room(name)
        frame = room.append(kind, PRIORITY.get(kind, "bulk"), fields)
        for member in list(room.members):
            await member.push(frame)
        return frame

    async def _accept(self, node: str, request: Any) -> None:
        if told := self.retry_after_s.get(node):
            header = (b"Retry-After", str(told.pop(0)).encode())
            await request.reject(503, extra_headers=[header])
            return
        connection = Connection(await request.accept(subprotocol="relaymesh.v1.json"), node)
        self.connections.append(connection)
        try:
            while True:
                frame = json.loads(await connection.ws.get_message())
                self.requests.append(frame)
                if frame["op"] == "ack":
                    self.messages.acknowledge(connection.device, frame)
                else:
                    await self._serve(connection, frame)
        except tws.ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)
            for room in self.rooms.values():
                if connection in room.members:
                    room.members.remove(connection)

    async def _serve(self, connection: Connection, frame: Frame) -> None:
        error = self.refuse(frame)
        if error is not None:
            await connection.send({"reply": frame["id"], "error": error})
            return
        serve = getattr(self, f"_{frame['op']}", self._nothing)
        ok, pushes = await serve(connection, frame)
        if not self.swallow(frame):
            await connection.send({"reply": frame["id"], **ok}, *pushes)

    async def _hello(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        code = self.bad_tokens.get(frame["token"])
        if code is not None:
            error = {"code": "token_invalid", "message": "no"}
            await connection.send({"reply": frame["id"], "error": error})
            await connection.ws.aclose(code)
            raise tws.ConnectionClosed(None)
        connection.uid = frame["token"]
        rooms, pushes = {}, []
        for spec in frame.get("join", []):
            answer, backlog = await self._join(connection, spec)
            rooms[spec["room"]] = answer["ok"]
            pushes += backlog
        ok = {"uid": connection.uid, "node": connection.node, "session": "s"}
        if "im" in frame:
            connection.device = frame["im"]["device"]
            ok["im"], missed = self.messages.open(connection.uid, frame["im"])
            pushes += missed
        return {"ok": {**ok, "heartbeat_ms": self.heartbeat_ms, "rooms": rooms}}, pushes

    async def _join(self, connection: Connection, spec: Frame) -> tuple[Frame, list[Frame]]:
        room = self.room(spec["room"])
        room.members.append(connection)
        streams, pushes = {}, []
        for priority, log in room.log.items():
            start = room.head(priority)
            if priority != "bulk" and spec.get("history"):
                start = max(0, start - spec["history"])
            since = spec.get("since", {}).get(priority)
            if since and since["epoch"] == room.epoch and since["seq"] + 1 >= room.first_kept:
                start = since["seq"]
            elif since:
                start = room.first_kept - 1
                where = {"room": room.name, "priority": priority}
                pushes.append({"push": "reset", **where, "epoch": room.epoch, "seq": start})
            streams[priority] = {"epoch": room.epoch, "seq": start}
            pushes += log[start:]
        ok = {"room": room.name, "epoch": room.epoch, "streams": streams}
        ok |= {"online": len(room.members), "likes": room.likes, "carrier": "relay-1"}
        return {"ok": {**ok, "role": "viewer"}}, pushes

    async def _leave(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        self.room(frame["room"]).members.remove(connection)
        return {"ok": {}}, []

    async def _chat(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        room = self.room(frame["room"])
        if frame["mid"] not in room.answers:
            fields = {k: v for k, v in frame.items() if k not in ("op", "id", "room")}
            who = {"uid": connection.uid, "name": connection.uid, "role": "viewer", "ts": 1}
            push = await self.publish(room.name, frame["op"], **fields, **who)
            names = ("room", "priority", "epoch", "seq", "ts", "mid")
            room.answers[frame["mid"]] = {name: push[name] for name in names}
        return {"ok": room.answers[frame["mid"]]}, []

    _speech = _gift = _chat

    async def _like(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        self.room(frame["room"]).likes += frame["count"]
        return {"ok": {"counted": frame["count"]}}, []

    async def _fetch(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        room = self.room(frame["room"])
        log = room.log[frame["priority"]]
        first = max(frame["from"], room.first_kept)
        ok = {"room": room.name, "priority": frame["priority"], "epoch": room.epoch}
        ok |= {"head": len(log), "oldest": room.first_kept}
        return {"ok": {**ok, "frames": log[first - 1 : frame["to"]]}}, []

    async def say(self, conv: str, uid: str, mid: str, **fields: Any) -> Frame:
        """Send an instant message as somebody else would, to all devices of who gets it."""
        ok, pushes = self.messages.say(conv, uid, mid, **fields)
        for each in list(self.connections):
            if each.device and each.uid in pushes:
                await each.push(pushes[each.uid])
        return ok

    async def _send(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        fields = {k: v for k, v in frame.items() if k not in ("op", "id", "conv", "mid")}
        return {"ok": await self.say(frame["conv"], connection.uid, frame["mid"], **fields)}, []

    async def _sync(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        return {"ok": self.messages.sync(connection.uid, frame)}, []

    async def _watch(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        return {"ok": {"refused": [uid for uid in frame["uids"] if uid == "eve"]}}, []

    async def _nothing(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        return {"ok": {}}, []

    async def _ping(self, connection: Connection, frame: Frame) -> tuple[Frame, list[Frame]]:
        return {"ok": {"ts": 1}}, []
