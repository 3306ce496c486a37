"""Clients that follow docs/protocol.md to the letter, and write down what breaks its promises."""

import json
from typing import Any

import structlog
import trio

from proto.close_codes import CATALOGUE, CloseCode
from proto.tokens import Claims, mint
from tests.simulation.edge import Line
from tests.simulation.harness import Cluster
from tests.simulation.ledger import Ledger, Sent, Stream
from tests.simulation.processes import SECRET
from tests.simulation.store import START_MS

ANSWER_S = 20.0
"""Longer than any request may take."""
log = structlog.get_logger()
STREAMS = ("urgent", "normal", "bulk")


class GoneError(Exception):
    """The connection went before the answer came."""


class RefusedError(Exception):
    """The answer is an error; `code` says which."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"])
        self.code: str = error["code"]
        self.field: str = error.get("field", "")
        self.retry_s = error.get("retry_after_ms", 200) / 1000


class Member:
    """One user on one device: connects, resumes, and repeats what was not answered."""

    def __init__(
        self, cluster: Cluster, ledger: Ledger, uid: str, rooms: list[str], *, history: int = 0
    ) -> None:
        self.uid = uid
        self.rooms = rooms
        self.node = ""
        self.streams: dict[tuple[str, str], Stream] = {}
        self.joined_at: dict[str, float] = {}
        self.joins: dict[str, dict[str, Any]] = {}
        self.direct: list[dict[str, Any]] = []
        self.close_codes: list[int] = []
        self.connected = trio.Event()
        self._cluster = cluster
        self._ledger = ledger
        self._history = history
        self._line: Line | None = None
        self._lost = trio.Event()
        self._waiting: dict[int, tuple[trio.Event, list[dict[str, Any]]]] = {}
        self._ids = 0
        self._mids = 0
        self.moves: list[dict[str, Any]] = []
        """The orders to move that it has followed."""
        self._order: dict[str, Any] | None = None
        self.stubborn = False
        """Whether it does not know what `move` means."""

    # -- being connected

    async def live(self, node: str = "") -> None:
        """Stay connected for ever: first to `node`, later to any that runs."""
        failures = 0
        while True:
            try:
                await self._connect(node)
                failures, node = 0, ""
                await self._lost.wait()
            except (GoneError, RefusedError):
                failures = min(failures + 1, 6)
            self.hang_up()
            if self._order is not None and await self._follow(self._order):
                await self._lost.wait()
                self.hang_up()
            await trio.sleep(0.2 * 1.6**failures * self._cluster.rng.uniform(0.5, 1.5))

    def hang_up(self) -> None:
        """Break the connection; `live` makes another."""
        if self._line is not None:
            self._line.close(1006, "hung up")

    async def _follow(self, order: dict[str, Any]) -> bool:
        """Go where the order leads; says whether some node there has taken it."""
        self._order = None
        for endpoint in order["endpoints"]:
            try:
                await self._connect(endpoint["node"], resume=order["resume"])
            except (GoneError, RefusedError):
                self.hang_up()
                continue
            self.moves.append(order)
            return True
        return False

    async def _told_to_move(self, order: dict[str, Any], line: Line | None) -> None:
        await trio.sleep(order["delay_ms"] / 1000)
        if self._line is line and line is not None:
            self._order = order
            self.hang_up()

    async def _connect(self, node: str, **hello: Any) -> None:
        nodes = {process.name: process for process in self._cluster.of_role("access")}
        ordinary = [name for name, process in sorted(nodes.items()) if not process.pool]
        self.node = node or self._cluster.rng.choice(ordinary or [""])
        edge = nodes[self.node].edge if self.node in nodes else None
        if edge is None:
            raise GoneError
        self._lost = trio.Event()
        self._line = edge.open_line(self._hear, self._end)
        claims = Claims(self.uid, START_MS // 1000 + 9999, host=tuple(self.rooms))
        join = [self._place(room) for room in self.rooms]
        token = mint(claims, SECRET)
        try:
            ok = await self._ask("hello", token=token, join=join, **hello)
        except RefusedError as error:
            if error.field != "resume":
                raise
            ok = await self._ask("hello", token=token, join=join)
        if any("error" in joined for joined in ok["rooms"].values()):
            raise RefusedError(next(j["error"] for j in ok["rooms"].values() if "error" in j))
        log.info("connected", uid=self.uid, node=self.node)
        self.connected.set()

    def _place(self, room: str) -> dict[str, Any]:
        since = {
            label: {"epoch": self.streams[room, label].epoch, "seq": self.streams[room, label].seq}
            for label in STREAMS
            if (room, label) in self.streams
        }
        if since:
            return {"room": room, "since": since}
        return {"room": room, "history": self._history}

    def _end(self, code: int) -> None:
        self.close_codes.append(code)
        self._line = None
        if self.connected.is_set():
            self.connected = trio.Event()
        self._lost.set()
        waiting, self._waiting = self._waiting, {}
        for answered, _ in waiting.values():
            answered.set()
        if code in CATALOGUE and not CATALOGUE[CloseCode(code)].reconnect:
            self._amiss("closed for good", code=code)

    # -- asking

    async def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        if self._line is None or self._line.closed_with is not None:
            raise GoneError
        self._ids += 1
        answered, replies = self._waiting[self._ids] = trio.Event(), []
        text = json.dumps({"op": op, "id": self._ids, **fields}).encode()
        self._line_receives(text)
        with trio.move_on_after(ANSWER_S):
            await answered.wait()
        if not answered.is_set():
            self._amiss("not answered", op=op)
        if not replies:
            raise GoneError
        if "error" in replies[0]:
            raise RefusedError(replies[0]["error"])
        ok: dict[str, Any] = replies[0]["ok"]
        return ok

    def _line_receives(self, text: bytes) -> None:
        process = self._cluster.running[self.node]
        assert process.edge is not None
        assert self._line is not None
        process.edge.receive(self._line, text)

    async def say(self, op: str, room: str, **fields: Any) -> Sent:
        """Publish, and repeat it with the same `mid` until it is answered."""
        self._mids += 1
        mid, sent_at = f"{self.uid}-{self._mids}", trio.current_time()
        while True:
            await self.connected.wait()
            try:
                ok = await self._ask(op, room=room, mid=mid, **fields)
            except GoneError:
                continue
            except RefusedError as error:
                await trio.sleep(error.retry_s * self._cluster.rng.uniform(1, 1.5))
                continue
            sent = Sent(mid, room, ok["priority"], ok["seq"], sent_at)
            self._ledger.sent.append(sent)
            return sent

    async def like(self, room: str, count: int) -> None:
        """Like once; without an answer it may or may not count."""
        await self.connected.wait()
        totals = self._ledger
        totals.likes_sent[room] = totals.likes_sent.get(room, 0) + count
        try:
            ok = await self._ask("like", room=room, count=count)
        except (GoneError, RefusedError):
            return
        totals.likes_counted[room] = totals.likes_counted.get(room, 0) + ok["counted"]

    # -- hearing

    def _hear(self, message: bytes) -> None:
        for frame in json.loads(message):
            if "reply" in frame:
                self._reply(frame)
            elif frame["push"] == "direct":
                self.direct.append(frame)
            elif frame["push"] == "move":
                if not self.stubborn:
                    self._cluster.nursery.start_soon(self._told_to_move, frame, self._line)
            else:
                self._push(frame)

    def _reply(self, frame: dict[str, Any]) -> None:
        if frame["reply"] not in self._waiting:
            self._amiss("answered twice", frame=frame)
            return
        ok = frame.get("ok", {})
        for room, joined in ok.get("rooms", {}).items():
            if "error" not in joined:
                self._joined(room, joined)
        answered, replies = self._waiting.pop(frame["reply"])
        replies.append(frame)
        answered.set()

    def _joined(self, room: str, joined: dict[str, Any]) -> None:
        self.joins[room] = joined
        self.joined_at.setdefault(room, trio.current_time())
        for label, place in joined["streams"].items():
            stream = self.streams.get((room, label))
            if stream is None:
                self.streams[room, label] = Stream(place["seq"], place["epoch"], place["seq"])
            elif (stream.epoch, stream.seq) != (place["epoch"], place["seq"]):
                self._amiss("resumed elsewhere", room=room, label=label, joined=place)
            self.streams[room, label].resumed = place["seq"]

    def _push(self, frame: dict[str, Any]) -> None:
        stream = self.streams.get((frame["room"], frame["priority"]))
        if stream is None:
            self._amiss("pushed before the join was answered", frame=frame)
        elif frame["push"] == "reset":
            stream.told.append((stream.seq + 1, frame["seq"]))
            stream.epoch, stream.seq, stream.resumed = frame["epoch"], frame["seq"], 0
        else:
            self._take(stream, frame)

    def _take(self, stream: Stream, frame: dict[str, Any]) -> None:
        skipped = frame["push"] == "skipped"
        first, last = (frame["from"], frame["to"]) if skipped else (frame["seq"], frame["seq"])
        repeated = first <= stream.seq and min(last, stream.seq) <= stream.resumed
        if stream.epoch not in ("", frame["epoch"]) or not (repeated or first == stream.seq + 1):
            self._amiss("out of order", at=(stream.epoch, stream.seq), frame=frame)
        if last <= stream.seq:
            return
        if skipped:
            stream.told.append((stream.seq + 1, last))
        else:
            stream.seen[last] = frame
        stream.epoch, stream.seq = frame["epoch"], last

    def _amiss(self, what: str, **fields: Any) -> None:
        self._ledger.amiss.append(f"{self.uid} on {self.node}: {what} {fields}")
